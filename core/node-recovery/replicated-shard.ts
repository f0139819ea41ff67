import type { ClusterRegistry } from '../cluster/cluster-registry';
import type { Shard } from '../cluster/items';
import { shardId } from '../cluster/names';
import { RejoinError } from '../errors';

/** The one shard of a replicated cluster: all rows, and who is their primary. @throws NotFound */
export async function replicatedShard(clusterRegistry: ClusterRegistry, cluster: string): Promise<Shard> {
  return clusterRegistry.shard(cluster, shardId(0));
}

/**
 * The same, while the node behind which a standby was put is still the primary.
 *
 * @throws ConditionFailed when it is not: what the standby has is another node's log
 */
export async function shardBehind(
  clusterRegistry: ClusterRegistry,
  cluster: string,
  { standby, primary }: { readonly standby: string; readonly primary: string },
): Promise<Shard> {
  const shard = await replicatedShard(clusterRegistry, cluster);
  if (shard.primary !== primary) {
    throw new RejoinError(
      'ConditionFailed',
      `${shard.primary} became the primary while ${standby} stood behind ${primary}; start the recovery again`,
    );
  }
  return shard;
}
