import { DatabaseError, type Client } from 'pg';
import { RejoinError } from '../../../core/errors';
import { waitUntil } from '../condition';

const timeoutMs = 10_000;
const undefinedObject = '42704';
const objectInUse = '55006';

/** Drops a slot, of whatever state. Whoever reads it is ended first; a reader that comes back at once is ended again. */
export async function dropSlot(client: Client, slot: string): Promise<void> {
  await waitUntil(() => tryDrop(client, slot), {
    timeoutMs,
    late: () =>
      new RejoinError(
        'SqlUnavailable',
        `slot '${slot}' could not be dropped within ${timeoutMs} ms: a reader comes back each time it is ended; stop the subscription that uses it, or try again`,
      ),
  });
}

async function tryDrop(client: Client, slot: string): Promise<boolean> {
  try {
    await client.query(
      `SELECT pg_terminate_backend(active_pid, 1000) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL`,
      [slot],
    );
    await client.query('SELECT pg_drop_replication_slot($1)', [slot]);
    return true;
  } catch (thrown) {
    const code = thrown instanceof DatabaseError ? thrown.code : undefined;
    if (code === undefinedObject) {
      return true;
    }
    if (code === objectInUse) {
      return false;
    }
    throw thrown;
  }
}
