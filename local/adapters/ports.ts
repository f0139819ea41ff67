import { isIP } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../../adapters/system-clock';
import { systemRandom } from '../../adapters/system-random';
import { RejoinError } from '../../core/errors';
import { Leases } from '../../core/lease/lease';
import { RunLedger } from '../../core/ledger/run-ledger';
import type { Clock, Random } from '../../core/ports/clock';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { DatabaseWatches } from '../../core/ports/database-watch';
import type { Machines } from '../../core/ports/machines';
import type { ManagedDatabases } from '../../core/ports/managed-databases';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { StatusAlarms } from '../../core/ports/status-alarms';
import type {
  Dns,
  Events,
  Executions,
  HostCommands,
  Metrics,
  Notifications,
  Prober,
  Secrets,
  Settings,
} from '../../core/ports/surroundings';
import type { StepPorts } from '../../core/step/define-step';
import { postgresEngine } from '../../engines/postgresql/engine';
import { postgresWatches } from '../../engines/postgresql/watch/server-watch';
import type { ConnectionSource } from '../../engines/postgresql/connection';
import { ControlClient } from '../control/control-client';
import { remoteMethods, type PortName, type RemotePorts } from '../control/remote-ports';
import { resolve } from '../dns/resolve';
import { BoundSocket } from '../relay/bound-socket';
import { announcing } from '../lambdas/effect-hook';
import { LocalObjects } from '../objects/local-objects';
import { databaseEffect } from './database-effects';
import { RunFiles } from './run-files';

/**
 * The ports of a process that belongs to a local cloud: a function's or a node's agent. Its environment says where the
 * cloud is. Each port is made when it is asked for, so that bundling leaves out what a step does not use.
 */
export function stepPorts(): StepPorts {
  const items = registry();
  return { clock: systemClock, ledger: new RunLedger(items, systemClock), leases: new Leases(items, systemClock) };
}

export const registry = (): Registry => remote('registry');
export const machines = (): Machines => remote('machines');
export const managedDatabases = (): ManagedDatabases => remote('managedDatabases');
export const prober = (): Prober => remote('prober');
export const dns = (): Dns => remote('dns');
export const events = (): Events => remote('events');
export const notifications = (): Notifications => remote('notifications');
export const metrics = (): Metrics => remote('metrics');
export const statusAlarms = (): StatusAlarms => remote('statusAlarms');
export const executions = (): Executions => remote('executions');
export const hostCommands = (): HostCommands => remote('hostCommands');

export const backups = (): Objects => bucket('REJOIN_BACKUPS_BUCKET');
export const evidence = (): Objects => bucket('REJOIN_EVIDENCE_BUCKET');

export const settings = (): Settings => new RunFiles(environment('REJOIN_DIRECTORY'));
export const secrets = (): Secrets => new RunFiles(environment('REJOIN_DIRECTORY'));
export const random = (): Random => systemRandom;

export function databases(): DatabaseEngine {
  return announcing(postgresEngine(connections()), databaseEffect);
}

export const clock = (): Clock => systemClock;
export const databaseWatches = (): DatabaseWatches => postgresWatches(connections(), systemClock);

function connections(): ConnectionSource {
  const files = new RunFiles(environment('REJOIN_DIRECTORY'));
  return {
    credentials: async (cluster) => files.credentials((await files.cluster(cluster)).secret),
    certificateAuthority: async (cluster) => files.certificateAuthority(cluster),
    addressOf: async (host) => addressIn(process.env['REJOIN_DNS'], host),
    socket: () => new BoundSocket(ownAddress()),
  };
}

let client: ControlClient | null = null;

function remote<P extends PortName>(name: P): RemotePorts[P] {
  client ??= new ControlClient({
    url: environment('REJOIN_CONTROL_URL'),
    token: environment('REJOIN_CONTROL_TOKEN'),
    nodeId: process.env['REJOIN_NODE'] ?? null,
    localAddress: ownAddress(),
  });
  const effects: Readonly<Record<string, 'reads' | 'changes'>> = remoteMethods[name];
  return announcing(client.port(name), (method) => effects[method] ?? 'reads');
}

/** Where our connections come from: by it the network knows whose they are. */
function ownAddress(): string {
  return process.env['REJOIN_ADDRESS'] ?? '127.0.0.1';
}

function bucket(variable: string): Objects {
  const objects = new LocalObjects(join(environment('REJOIN_DIRECTORY'), 'objects'), environment(variable));
  return announcing(objects, (method) => (method === 'write' || method === 'remove' ? 'changes' : 'reads'));
}

/** Local names are known to the local name server only, whose address the cloud gives as `host:port`. */
async function addressIn(server: string | undefined, host: string): Promise<string> {
  const [address, port] = server?.split(':') ?? [];
  return address === undefined || isIP(host) !== 0
    ? host
    : resolve(host, { server: { host: address, port: Number(port) } });
}

/** @throws InvalidSettings */
function environment(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new RejoinError('InvalidSettings', `environment variable '${name}' is not set; the local cloud sets it`);
  }
  return value;
}
