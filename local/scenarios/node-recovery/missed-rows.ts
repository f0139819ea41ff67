import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import { ask, tablesOf, type CheckedServer } from './content';
import { checkedServer, untilVisited, type FaultContext } from './fault';
import { clusterName } from './world';

/**
 * Counts, once everything is restored and before the node joins, the rows that the survivors have and the replacement lacks
 * or has otherwise. Where the passes are left out it shows what they are there for.
 */
export async function countMissedRows({ world, victim, check, say }: FaultContext): Promise<void> {
  await untilVisited(world, 'Take the lease again');
  const registry = new ClusterRegistry(world.cloud.registry);
  const [nodes, shards] = await Promise.all([registry.nodes(clusterName), registry.shards(clusterName)]);
  const replacement = nodes.find((node) => node.state === 'building');
  let rows = 0;
  let missed = 0;
  for (const shard of shards.filter((candidate) => candidate.lostOwner === victim.id)) {
    const survivor = nodes.find((node) => node.id === shard.primary);
    if (survivor !== undefined && replacement !== undefined) {
      const right = await rowsByKey(checkedServer(world, survivor), shard.schemas);
      const restored = await rowsByKey(checkedServer(world, replacement), shard.schemas);
      rows += right.size;
      missed += [...right].filter(([key, md5]) => restored.get(key) !== md5).length;
    }
  }
  say(`${missed} of ${rows} rows were missed by the restore alone`);
  check({
    name: 'rows that the restore alone missed',
    ok: missed === 0 && rows > 0,
    expected: '0',
    got: `${missed} of ${rows}`,
  });
}

async function rowsByKey(server: CheckedServer, schemas: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const table of await tablesOf(server, schemas)) {
    const rows = await ask<{ key: string; md5: string }>(
      server,
      `SELECT ROW(${table.key})::text AS key, md5((t.*)::text) AS md5 FROM ONLY ${table.name} AS t`,
    );
    for (const { key, md5 } of rows) {
      found.set(`${table.name} ${key}`, md5);
    }
  }
  return found;
}
