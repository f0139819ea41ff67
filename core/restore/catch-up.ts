import { nextChanges } from '../backup/next-changes';
import type { LogPosition } from '../cluster/position';
import { comparePositions } from '../cluster/position';
import type { DatabaseAddress, DatabaseEngine } from '../ports/database-engine';

export type CatchUpDatabases = Pick<
  DatabaseEngine,
  'slot' | 'peek' | 'advance' | 'position' | 'writeMarker' | 'applyChanges'
>;

/** One shard on its way from the survivor to the replacement. */
export interface ShardRoute {
  readonly shard: string;
  /** On the source; its name is the lineage of what is applied. */
  readonly slot: string;
  readonly source: DatabaseAddress;
  readonly target: DatabaseAddress;
  /** Changes read at once. */
  readonly maxBytes: number;
}

export interface CaughtUp {
  readonly segments: number;
  readonly rows: number;
  readonly bytes: number;
  /** How far the target is now, as far as this call knows; null: nothing was applied. */
  readonly appliedTo: LogPosition | null;
  /** Whether everything up to the wanted position is applied. */
  readonly reached: boolean;
}

/**
 * Applies a slot's changes to the target until everything is there that the source had at `to`: peek, apply, advance.
 *
 * The target keeps the position in the transaction that applies the changes, so its commit is what makes them durable, and
 * nothing is stored in between: should the target be lost, all of it is. Dying after the apply, a repetition reads the same
 * changes again, and the target passes them over. The slot is advanced last, because what it has let go is gone.
 *
 * @param mayGoOn asked before each read; false: stop here
 * @throws SlotLost
 */
export async function catchUp(
  databases: CatchUpDatabases,
  route: ShardRoute,
  to: LogPosition,
  mayGoOn: () => boolean,
): Promise<CaughtUp> {
  const done = { segments: 0, rows: 0, bytes: 0, appliedTo: null as LogPosition | null };
  const { shard, slot } = route;
  while (mayGoOn()) {
    const changes = await nextChanges(databases, route.source, { slot, shard, maxBytes: route.maxBytes });
    if (changes === null) {
      return { ...done, reached: true };
    }
    await databases.applyChanges(route.target, { shard, lineage: slot, body: changes.body, to: changes.to });
    done.segments += 1;
    done.rows += changes.rows;
    done.bytes += changes.body.length;
    done.appliedTo = changes.to;
    await databases.advance(route.source, { slot, to: changes.to });
    if (changes.drained || comparePositions(changes.to, to) >= 0) {
      return { ...done, reached: true };
    }
  }
  return { ...done, reached: false };
}
