import type { Client } from 'pg';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { waitUntil } from '../condition';
import { identifier } from '../identifier';
import { readSubscription } from './follow';

const workerTimeoutMs = 10_000;

/**
 * Disables the subscription, ends its workers and waits until none is left. Disabling alone is not enough: a worker that
 * waits for a lock or stands in half a transaction outlives it, and could still confirm the old primary's commits. A
 * worker closes its connection before its process id disappears from the view.
 *
 * @throws NotFound when there is no such subscription; SqlUnavailable when a worker does not end
 */
export async function pauseFollowing(client: Client, address: DatabaseAddress, name: string): Promise<void> {
  await alter(client, address, name, 'DISABLE');
  await waitUntil(() => noWorkerLeft(client, name), {
    timeoutMs: workerTimeoutMs,
    late: () =>
      new RejoinError(
        'SqlUnavailable',
        `an apply worker of subscription '${name}' on node '${address.nodeId}' did not end within ${workerTimeoutMs} ms, so it may still confirm commits`,
      ),
  });
}

/** @throws NotFound when there is no such subscription */
export async function resumeFollowing(client: Client, address: DatabaseAddress, name: string): Promise<void> {
  await alter(client, address, name, 'ENABLE');
}

/** Drops the subscription without asking its primary: the slot is no longer its own, so it stays there. */
export async function stopFollowing(client: Client, address: DatabaseAddress, name: string): Promise<void> {
  if ((await readSubscription(client, name)) === null) {
    return;
  }
  await pauseFollowing(client, address, name);
  await client.query(`ALTER SUBSCRIPTION ${identifier(name)} SET (slot_name = NONE)`);
  await client.query(`DROP SUBSCRIPTION IF EXISTS ${identifier(name)}`);
}

async function alter(
  client: Client,
  address: DatabaseAddress,
  name: string,
  change: 'ENABLE' | 'DISABLE',
): Promise<void> {
  if ((await readSubscription(client, name)) === null) {
    throw new RejoinError('NotFound', `node '${address.nodeId}' has no subscription '${name}'`);
  }
  await client.query(`ALTER SUBSCRIPTION ${identifier(name)} ${change}`);
}

/** Tells each worker to end, each time: one may have begun just before the subscription was disabled. */
async function noWorkerLeft(client: Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ told: boolean }>(
    'SELECT pg_terminate_backend(pid) AS told FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL',
    [name],
  );
  return rows.length === 0;
}
