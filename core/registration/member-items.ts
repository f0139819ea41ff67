import { keyOf, type ClusterItem } from '../cluster/cluster-registry';
import type { ClusterMeta, Shard } from '../cluster/items';
import type { ClusterSettings } from '../cluster/settings';
import type { Change } from '../ports/registry';
import { nodesOf } from './compare-registered';
import type { PlannedShard } from './planned-shard';

/** What a registry writes at once. */
const changesAtOnce = 100;

/** A shard's first item. */
export function firstShard({ id, schemas, epoch, primary, follower }: PlannedShard): Shard {
  return { id, schemas, epoch, primary, follower, version: 1, state: 'in sync', fence: null };
}

/** The writes that enter nodes and shards, as many at once as a registry takes. Repeating them changes nothing. */
export function memberChanges(settings: ClusterSettings, shards: readonly PlannedShard[]): readonly Change[][] {
  const items: ClusterItem[] = [
    ...nodesOf(settings).map((value) => ({ kind: 'NODE' as const, value })),
    ...shards.map((shard) => ({ kind: 'SHARD' as const, value: firstShard(shard) })),
  ];
  const changes = items.map((item) => ({
    kind: 'put' as const,
    key: keyOf(settings.name, item),
    value: item.value,
    when: { absentOrEquals: item.value },
  }));
  return Array.from({ length: Math.ceil(changes.length / changesAtOnce) }, (_, batch) =>
    changes.slice(batch * changesAtOnce, (batch + 1) * changesAtOnce),
  );
}

/** The item that makes it a cluster: written last. Its epoch is no less than any shard's. */
export function metaOf(settings: ClusterSettings, shards: readonly PlannedShard[]): ClusterMeta {
  const { name, engine, layout, shardCount } = settings;
  return { name, engine, layout, shardCount, epoch: Math.max(1, ...shards.map((shard) => shard.epoch)) };
}
