import type { Client } from 'pg';
import { comparePositions, type LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';
import { slotFacts, slotLost } from './slot-state';

/**
 * Lets the server forget what was stored. A slot that is already there, or further, stays.
 *
 * @throws SlotLost; SqlFailed when the log does not reach that far
 */
export async function advanceSlot(client: Client, slot: string, to: LogPosition): Promise<void> {
  const { state, confirmedTo, lostBecause } = await slotFacts(client, slot);
  if (confirmedTo === null) {
    throw slotLost(slot, state === 'lost' ? `lost (${lostBecause ?? 'no reason given'})` : 'absent');
  }
  if (comparePositions(confirmedTo, to) >= 0) {
    return;
  }
  const { rows } = await client.query<{ end: LogPosition }>(
    `SELECT end_lsn::text AS "end" FROM pg_replication_slot_advance($1, $2::pg_lsn)`,
    [slot, to],
  );
  const end = rows[0]?.end;
  if (end === undefined || comparePositions(end, to) < 0) {
    throw new RejoinError(
      'SqlFailed',
      `slot '${slot}' can't be advanced to ${to}: this node's log ends at ${end ?? 'an unknown position'}; the position belongs to another node`,
    );
  }
}
