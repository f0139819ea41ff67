import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeItem } from '../../../core/cluster/items';
import type { ClusterSettings } from '../../../core/cluster/settings';
import type { LocalManagedDatabases } from '../../machines/local-managed-databases';
import type { MachineRoom } from '../../machines/machine-room';
import type { AgentCommand } from '../../machines/templates';
import { GuardedProcess } from '../../processes/guarded-process';

/** The identifier of the instance that a node runs on. */
export function instanceOf(cluster: string, nodeId: string): string {
  return `${cluster}-${nodeId}`;
}

/** The first nodes of a cluster on RDS instances, one site after the other. */
export async function createInstances(
  managed: LocalManagedDatabases,
  settings: ClusterSettings,
  { count, zone }: { readonly count: number; readonly zone: string },
): Promise<readonly NodeItem[]> {
  const sites = Object.keys(settings.sites);
  return Promise.all(
    Array.from({ length: count }, async (_, index): Promise<NodeItem> => {
      const id = `node-${index + 1}`;
      const site = sites[index % sites.length] ?? '';
      const machineId = instanceOf(settings.name, id);
      await managed.createReady({
        cluster: settings.name,
        nodeId: id,
        site,
        instanceIdentifier: machineId,
        snapshotId: null,
      });
      return {
        id,
        site,
        machineKind: 'rds',
        machineId,
        host: `${id}.${zone}`,
        port: settings.port,
        state: 'serving',
        builder: null,
        replacedAtMs: [],
      };
    }),
  );
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
