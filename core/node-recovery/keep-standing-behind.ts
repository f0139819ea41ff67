import { databaseOf, type ClusterRegistry } from '../cluster/cluster-registry';
import type { NodeItem } from '../cluster/items';
import { standbyName } from '../cluster/names';
import type { ClusterSettings } from '../cluster/settings';
import type { DatabaseEngine } from '../ports/database-engine';
import { replicatedShard } from './replicated-shard';

/**
 * Puts a member of a replicated cluster behind the primary again, where it is a standby that receives nothing: it may have
 * been silent when another one was promoted. Where somebody else promotes, they see to it.
 *
 * @returns the primary that it was put behind; null where there was nothing to do
 * @throws SqlUnavailable when one of the two does not answer; SqlFailed, SlotLost when it can't follow that primary any more
 */
export async function keepStandingBehind(
  ports: {
    readonly clusterRegistry: ClusterRegistry;
    readonly databases: Pick<DatabaseEngine, 'standbyState' | 'standBehind'>;
  },
  cluster: ClusterSettings,
  self: NodeItem,
): Promise<string | null> {
  if (cluster.layout !== 'replicated' || cluster.promotion === 'external' || self.state !== 'serving') {
    return null;
  }
  const address = databaseOf(cluster, self);
  const seen = await ports.databases.standbyState(address);
  if (!seen.standby || seen.streaming) {
    return null;
  }
  const { primary } = await replicatedShard(ports.clusterRegistry, cluster.name);
  if (primary === self.id) {
    // Its own promotion is under way.
    return null;
  }
  const node = await ports.clusterRegistry.node(cluster.name, primary);
  await ports.databases.standBehind(address, { name: standbyName(self.id), primary: databaseOf(cluster, node) });
  return primary;
}
