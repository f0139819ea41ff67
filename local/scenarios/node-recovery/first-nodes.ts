import type { NodeItem } from '../../../core/cluster/items';
import type { ClusterSettings } from '../../../core/cluster/settings';

/** Where one of the first nodes is to stand. */
export interface NodePlace {
  readonly id: string;
  readonly site: string;
}

/**
 * The first nodes of a cluster, one site after the other, all made at once.
 *
 * @param make makes the machine of a node and resolves with the machine's id once it is ready
 */
export async function firstNodes(
  { sites, port }: Pick<ClusterSettings, 'sites' | 'port'>,
  order: { readonly count: number; readonly zone: string; readonly machineKind: NodeItem['machineKind'] },
  make: (place: NodePlace) => Promise<string>,
): Promise<readonly NodeItem[]> {
  const names = Object.keys(sites);
  return Promise.all(
    Array.from({ length: order.count }, async (_, index): Promise<NodeItem> => {
      const id = `node-${index + 1}`;
      const site = names[index % names.length] ?? '';
      return {
        id,
        site,
        machineKind: order.machineKind,
        machineId: await make({ id, site }),
        host: `${id}.${order.zone}`,
        port,
        state: 'serving',
        builder: null,
        replacedAtMs: [],
      };
    }),
  );
}
