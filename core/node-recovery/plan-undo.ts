import type { Shard } from '../cluster/items';
import { followName } from './ownership';

/** One thing that puts a shard back. */
export type UndoAction =
  /** The replacement confirms this shard's commits: the primary goes on alone. */
  | { readonly kind: 'go on alone'; readonly shard: Shard; readonly slot: string }
  /** A slot was opened for the replacement, which does not follow yet. */
  | { readonly kind: 'drop slot'; readonly shard: Shard; readonly slot: string }
  /** Its writes are stopped: they go on where they were. */
  | { readonly kind: 'move back'; readonly shard: Shard };

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
    if (shard.state === 'moving') {
      return [{ kind: 'move back', shard }];
    }
    if (replacement !== null && shard.follower === replacement) {
      return kept.length > 0 ? [] : [{ kind: 'go on alone', shard, slot: followName(shard) }];
    }
    return recovered.includes(shard.id) && shard.follower === null && shard.primary !== replacement
      ? [{ kind: 'drop slot', shard, slot: followName(shard) }]
      : [];
  });
  return { actions, kept };
}
