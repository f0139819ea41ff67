import { refusal } from '../alarms/refusal';
import type { NodeItem } from '../cluster/items';
import type { Machines } from '../ports/machines';
import type { ManagedDatabases } from '../ports/managed-databases';
import type { StatusAlarms } from '../ports/status-alarms';
import type { Dns } from '../ports/surroundings';

export interface EndingPorts {
  readonly machines: Pick<Machines, 'terminate'>;
  readonly managedDatabases: Pick<ManagedDatabases, 'remove'>;
  readonly statusAlarms: Pick<StatusAlarms, 'remove'>;
  readonly dns: Pick<Dns, 'read' | 'change'>;
}

/**
 * Ends a node's machine with its volumes and its status alarm, and takes its name out of DNS. Repeating it changes nothing.
 *
 * @returns in words why its alarm is left; null where nothing is left
 */
export async function endNode(ports: EndingPorts, cluster: string, node: NodeItem): Promise<string | null> {
  const left = await endMachine(ports, cluster, node);
  for (const type of ['A', 'CNAME'] as const) {
    const record = await ports.dns.read(node.host, type);
    if (record !== null) {
      await ports.dns.change([{ action: 'delete', record }]);
    }
  }
  return left;
}

async function endMachine(
  ports: EndingPorts,
  cluster: string,
  { id: nodeId, machineKind, machineId }: NodeItem,
): Promise<string | null> {
  if (machineKind === 'rds') {
    await ports.managedDatabases.remove(machineId);
    return null;
  }
  await ports.machines.terminate(machineId);
  const refused = await refusal(ports.statusAlarms.remove({ cluster, nodeId, machineId }));
  return refused === null ? null : `the status alarm of ${nodeId} (${refused})`;
}
