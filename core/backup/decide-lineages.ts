import type { Shard, SlotItem } from '../cluster/items';

export type LineageDecision =
  | { readonly action: 'none'; readonly reason: string }
  | { readonly action: 'start a full backup'; readonly reason: string };

/** After a promotion its recovery comes first, which ends with a backup of its own. */
const recoveryMs = 600_000;

/**
 * Decides whether a full backup has to begin new lineages: some shard's changes are captured nowhere.
 *
 * @param recovering whether a node of the cluster is being replaced
 */
export function decideLineages(facts: {
  readonly shards: readonly Shard[];
  readonly slots: readonly SlotItem[];
  readonly recovering: boolean;
  readonly nowMs: number;
}): LineageDecision {
  const without = facts.shards.filter(
    (shard) => !facts.slots.some((slot) => slot.shard === shard.id && slot.nodeId === shard.primary),
  );
  if (without.length === 0) {
    return { action: 'none', reason: 'the changes of every shard are captured' };
  }
  const named = without.map((shard) => shard.id).join(', ');
  if (facts.recovering) {
    return {
      action: 'none',
      reason: `the changes of ${named} are not captured; a recovery runs, which ends with a backup`,
    };
  }
  const promoted = without.find((shard) => shard.fence !== null && facts.nowMs - shard.fence.atMs < recoveryMs);
  if (promoted !== undefined) {
    return { action: 'none', reason: `the changes of ${named} are not captured; ${promoted.id} was promoted just now` };
  }
  return { action: 'start a full backup', reason: `the changes of ${named} are captured nowhere` };
}

/** At most one an hour: a backup that fails is tried again, but not each minute. */
export function lineageBackupName(cluster: string, nowMs: number): string {
  const hour = new Date(nowMs).toISOString().slice(0, 13).replaceAll('-', '').replace('T', '-');
  return `${cluster}-lineage-${hour}`;
}
