import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeItem } from '../../../core/cluster/items';
import type { LocalManagedDatabases } from '../../machines/local-managed-databases';
import type { MachineRoom } from '../../machines/machine-room';
import type { AgentCommand } from '../../machines/templates';
import { GuardedProcess } from '../../processes/guarded-process';
import type { NodePlace } from './first-nodes';

/** The identifier of the instance that a node runs on. */
export function instanceOf(cluster: string, nodeId: string): string {
  return `${cluster}-${nodeId}`;
}

/** Creates the instance of one of the first nodes. @returns its identifier */
export async function createInstance(
  managed: LocalManagedDatabases,
  cluster: string,
  { id, site }: NodePlace,
): Promise<string> {
  const instanceIdentifier = instanceOf(cluster, id);
  await managed.createReady({ cluster, nodeId: id, site, instanceIdentifier, snapshotId: null });
  return instanceIdentifier;
}

export interface AgentsBeside {
  readonly logFiles: readonly string[];
  end(): Promise<void>;
}

/** RDS hosts run no agents of ours: each instance's agent is a process in the network of its site. */
export async function startAgentsBeside(
  room: MachineRoom,
  nodes: readonly NodeItem[],
  directory: string,
  command: (node: NodeItem, address: string) => AgentCommand,
): Promise<AgentsBeside> {
  const agents: GuardedProcess[] = [];
  const logFiles: string[] = [];
  await mkdir(directory, { recursive: true });
  for (const node of nodes) {
    const { argv, environment } = command(node, await room.siteAddress(node.site));
    const logFile = join(directory, `${node.id}.log`);
    agents.push(
      await GuardedProcess.start({
        argv,
        environment: { PATH: process.env['PATH'] ?? '', ...environment },
        workingDirectory: directory,
        logFile,
        user: null,
      }),
    );
    logFiles.push(logFile);
  }
  return {
    logFiles,
    end: async () => {
      await Promise.all(agents.map((agent) => agent.kill()));
    },
  };
}
