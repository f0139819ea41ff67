import { DatabaseError, type Client } from 'pg';
import { RejoinError } from '../../../core/errors';
import { dropSlot } from '../capture/drop-slot';

const duplicateObject = '42710';

/**
 * Has the primary keep its log for a standby from now on. A slot that is lost has nothing to give, so another one takes
 * its place.
 *
 * @throws SqlFailed when the name is a logical slot's
 */
export async function keepLogFor(client: Client, slot: string): Promise<void> {
  const { rows } = await client.query<{ kind: string; isLost: boolean }>(
    `SELECT slot_type AS kind, coalesce(wal_status = 'lost', false) AS "isLost"
       FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  );
  const [found] = rows;
  if (found !== undefined && found.kind !== 'physical') {
    throw new RejoinError(
      'SqlFailed',
      `slot '${slot}' is a ${found.kind} one, and a standby needs a physical one; drop it, or give the node another id`,
    );
  }
  if (found?.isLost === false) {
    return;
  }
  if (found !== undefined) {
    await dropSlot(client, slot);
  }
  await createSlot(client, slot);
}

async function createSlot(client: Client, slot: string): Promise<void> {
  try {
    // From the last checkpoint on, and not only from when the standby first asks.
    await client.query('SELECT pg_create_physical_replication_slot($1, true)', [slot]);
  } catch (thrown) {
    // Another call was faster.
    if (!(thrown instanceof DatabaseError && thrown.code === duplicateObject)) {
      throw thrown;
    }
  }
}
