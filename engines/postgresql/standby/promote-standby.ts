import { DatabaseError, type Client } from 'pg';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { waitUntil } from '../condition';

/** What the server answers when it has been promoted already. */
const notInRecovery = '55000';

/**
 * Makes a standby a primary: it replays what it has of the log, begins a timeline of its own, and accepts writes.
 *
 * @throws SqlFailed when that takes longer than `timeoutMs`
 */
export async function promoteStandby(client: Client, address: DatabaseAddress, timeoutMs: number): Promise<void> {
  if (!(await isInRecovery(client))) {
    return;
  }
  try {
    // Without waiting: that would be a statement longer than a statement may take.
    await client.query('SELECT pg_promote(false)');
  } catch (thrown) {
    if (!(thrown instanceof DatabaseError && thrown.code === notInRecovery)) {
      throw thrown;
    }
  }
  await waitUntil(async () => !(await isInRecovery(client)), {
    timeoutMs,
    late: () =>
      new RejoinError(
        'SqlFailed',
        `standby '${address.nodeId}' of cluster '${address.cluster}' has not become a primary within ${timeoutMs} ms; it may still be replaying its log: look at its server log`,
      ),
  });
}

async function isInRecovery(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ inRecovery: boolean }>('SELECT pg_is_in_recovery() AS "inRecovery"');
  return rows[0]?.inRecovery !== false;
}
