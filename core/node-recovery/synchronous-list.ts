import { databaseOf, type ClusterRegistry } from '../cluster/cluster-registry';
import type { ClusterSettings } from '../cluster/settings';
import { RejoinError } from '../errors';
import type { DatabaseOwnership } from '../ports/database-engine';
import { synchronousNames } from './ownership';

const tries = 8;

/**
 * Sets a node's list of synchronous followers to what the registry says, and looks again afterwards: whoever changed the
 * registry meanwhile may have set its list before ours. Clusters whose commits wait for nobody have no list.
 *
 * @throws ConditionFailed when the registry does not come to rest
 */
export async function keepSynchronousList(
  databases: Pick<DatabaseOwnership, 'setSynchronousFollowers'>,
  clusterRegistry: ClusterRegistry,
  cluster: ClusterSettings,
  nodeId: string,
): Promise<readonly string[]> {
  if (cluster.durability === 'asynchronous') {
    return [];
  }
  const address = databaseOf(cluster, await clusterRegistry.node(cluster.name, nodeId));
  let names = synchronousNames(nodeId, await clusterRegistry.shards(cluster.name));
  for (let attempt = 0; attempt < tries; attempt += 1) {
    await databases.setSynchronousFollowers(address, names);
    const now = synchronousNames(nodeId, await clusterRegistry.shards(cluster.name));
    if (now.length === names.length && now.every((name, index) => name === names[index])) {
      return names;
    }
    names = now;
  }
  throw new RejoinError('ConditionFailed', `the owners of ${nodeId}'s shards changed ${tries} times in a row`);
}
