import type { Shard } from '../cluster/items';
import { replicationName } from '../cluster/names';

/** One thing that puts a shard back. */
export interface UndoAction {
  /**
   * `go on alone`: the replacement confirms this shard's commits. `drop slots`: a slot was opened for the replacement,
   * which does not follow, or no longer.
   */
  readonly kind: 'go on alone' | 'drop slots';
  readonly shard: Shard;
  /** On its primary. Absent ones are no harm: an earlier try dropped them. */
  readonly slots: readonly string[];
}

export interface UndoPlan {
  readonly actions: readonly UndoAction[];
  /** Shards whose primary the replacement already is: taking it away would lose their writer. */
  readonly kept: readonly string[];
}

/**
 * What undoes a recovery: new slots and subscriptions go, and the replacement with them. Promotions stay: they are what
 * serves the clients.
 */
export function planUndo(shards: readonly Shard[], recovered: readonly string[], replacement: string | null): UndoPlan {
  const kept = shards.filter((shard) => replacement !== null && shard.primary === replacement).map(({ id }) => id);
  const actions = shards.flatMap((shard): readonly UndoAction[] => {
    if (replacement !== null && shard.follower === replacement) {
      return kept.length > 0 ? [] : [{ kind: 'go on alone', shard, slots: [replicationName(shard.id, shard.epoch)] }];
    }
    if (!recovered.includes(shard.id) || shard.follower !== null || shard.primary === replacement) {
      return [];
    }
    // The epoch before this one is the replacement's when it was given up already, by an agent or by an earlier try.
    const slots = [shard.epoch, shard.epoch - 1].map((epoch) => replicationName(shard.id, epoch));
    return [{ kind: 'drop slots', shard, slots }];
  });
  return { actions, kept };
}
