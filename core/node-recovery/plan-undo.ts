import type { Shard } from '../cluster/items';
import { replicationName } from '../cluster/names';
import { joinName } from './ownership';

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
  /** Shards that would lose a writer, or a second copy that nobody else has, if the replacement were taken away. */
  readonly kept: readonly string[];
}

/** Who takes part in what is undone. */
export interface UndoNodes {
  /** Null where none was launched. */
  readonly replacement: string | null;
  /** The node that is replaced, where it still serves: a planned replacement that was not finished. Null otherwise. */
  readonly predecessor: string | null;
}

/**
 * What undoes a recovery: new slots and subscriptions go, and the replacement with them. Promotions stay: they are what
 * serves the clients. So does a replacement in whose favour a living node already gave up its copies.
 */
export function planUndo(shards: readonly Shard[], recovered: readonly string[], nodes: UndoNodes): UndoPlan {
  const { replacement, predecessor } = nodes;
  const kept = shards
    .filter(
      (shard) =>
        replacement !== null &&
        (shard.primary === replacement ||
          (predecessor !== null && shard.follower === replacement && shard.state === 'in sync')),
    )
    .map(({ id }) => id);
  const actions = shards.flatMap((shard): readonly UndoAction[] => {
    // Where the predecessor lives, its slot is dropped only when its successor is in sync: it may still be there.
    const names = (back: number): readonly string[] =>
      Array.from({ length: back + (predecessor === null ? 1 : 2) }, (_, ago) =>
        replicationName(shard.id, shard.epoch - ago),
      );
    if (replacement !== null && shard.follower === replacement) {
      return kept.length > 0 ? [] : [{ kind: 'go on alone', shard, slots: names(0) }];
    }
    if (!recovered.includes(shard.id) || shard.primary === replacement) {
      return [];
    }
    if (shard.follower !== null) {
      // The living node follows by this epoch's name; the next one's was its successor's.
      return shard.follower === predecessor ? [{ kind: 'drop slots', shard, slots: [joinName(shard)] }] : [];
    }
    // The epoch before this one is the replacement's when it was given up already, by an agent or by an earlier try.
    return [{ kind: 'drop slots', shard, slots: names(1) }];
  });
  return { actions, kept };
}
