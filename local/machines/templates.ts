import type { Credentials } from '../../core/ports/surroundings';
import type { CertificateAuthority } from '../postgresql/certificate-authority';
import type { ServerRole } from '../postgresql/server';

/** What a machine is: where it is, and how to reach what runs on it. */
export interface MachineFacts {
  readonly machineId: string;
  readonly cluster: string;
  readonly nodeId: string;
  readonly site: string;
  /** A loopback address of its own. Connections that it opens should be bound to it: by it the relay knows who they are from. */
  readonly address: string;
  /** Where others reach its database server, through the relay. */
  readonly databasePort: number;
  /** Where the server listens: for what runs on the same machine, as a Unix socket would be. */
  readonly privateDatabasePort: number;
  /** Where others reach its agent, through the relay; null: it has none. */
  readonly agentPort: number | null;
  /** Where the agent is to listen, on `address`; null: it has none. */
  readonly privateAgentPort: number | null;
  /** The snapshot of the volume that is attached to it, beside its data; null: none is. */
  readonly attachedSnapshot: string | null;
  /** Its own, for logs and what its agent keeps. */
  readonly directory: string;
}

/** The agent's command line. */
export interface AgentCommand {
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
}

/** What all machines of a cluster are made from. */
export interface ClusterTemplate {
  readonly cluster: string;
  /** Where machines can be launched. */
  readonly sites: readonly string[];
  readonly databasePort: number;
  /** Null: machines without an agent. */
  readonly agentPort: number | null;
  readonly agent: ((machine: MachineFacts) => AgentCommand) | null;
  readonly administrator: Credentials;
  readonly roles: readonly ServerRole[];
  readonly databases: readonly string[];
  /** Lines of postgresql.conf. */
  readonly settings: Readonly<Record<string, string>>;
  /** False: fsync is off, and a power cut may lose data. A killed process loses none in either case. */
  readonly durable: boolean;
  /** Issues the certificates of its servers, which then take encrypted connections only. @default null: not encrypted */
  readonly authority?: CertificateAuthority | null;
}

/** Machines listen this far beside the port at which others reach them. */
const privateDistance = 10_000;

/** The port at which a machine really listens, given the one at which others reach it. */
export function privatePort(port: number): number {
  return port + privateDistance <= 65_535 ? port + privateDistance : port - privateDistance;
}
