import type { Client } from 'pg';
import { shardLock } from '../../../core/cluster/names';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { waitUntil } from '../condition';
import { inTransaction } from '../connection';
import { laterEpoch } from './install-shard';

const writersEndWithinMs = 10_000;

/**
 * Refuses writes of a shard that another node has taken. Its writers are not waited for: a commit that was sent here waits
 * for a follower that is one no more, and would be acknowledged as soon as the list of followers is shortened, although
 * the other node never gets it. So the sessions that hold the shard's lock are ended, which tells their clients nothing
 * good, until the lock is free.
 *
 * @throws ConditionFailed when the shard is at a later epoch here; SqlUnavailable when a writer does not end
 */
export async function revokeShard(
  client: Client,
  address: DatabaseAddress,
  order: { readonly shard: string; readonly epoch: number },
): Promise<void> {
  // First of all: who gets the lock from now on reads that the shard is closed.
  const closed = await client.query(
    'UPDATE rejoin.shard SET epoch = $2, writable = false WHERE shard = $1 AND epoch <= $2',
    [order.shard, order.epoch],
  );
  if (closed.rowCount === 0) {
    throw await laterEpoch(client, address, order);
  }
  await waitUntil(() => noWriterLeft(client, order.shard), {
    timeoutMs: writersEndWithinMs,
    late: () =>
      new RejoinError(
        'SqlUnavailable',
        `writers of ${order.shard} on node '${address.nodeId}' did not end within ${writersEndWithinMs} ms, so their commits may still be acknowledged`,
      ),
  });
}

async function noWriterLeft(client: Client, shard: string): Promise<boolean> {
  const [space, number] = shardLock(shard);
  const { rows } = await inTransaction(client, () =>
    client.query<{ free: boolean }>('SELECT pg_try_advisory_xact_lock($1::integer, $2::integer) AS free', [
      space,
      number,
    ]),
  );
  if (rows[0]?.free === true) {
    return true;
  }
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks
      WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = $1::integer::oid AND objid = $2::integer::oid AND objsubid = 2 AND pid <> pg_backend_pid()`,
    [space, number],
  );
  return false;
}
