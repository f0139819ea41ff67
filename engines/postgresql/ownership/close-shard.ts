import { DatabaseError, type Client } from 'pg';
import { shardLock } from '../../../core/cluster/names';
import type { LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { inTransaction } from '../connection';
import { readPosition } from '../probing/position';
import { laterEpoch } from './install-shard';

/**
 * Refuses writes of a shard from now on. Waits for its writers, the confirmation of their commits included: they hold
 * the shard's lock until then. New writers queue behind this wait, so `drainTimeoutMs` bounds how long they pause.
 *
 * @returns the position after the last write
 * @throws SqlFailed when writers don't end within `drainTimeoutMs`; ConditionFailed when the shard is at a later epoch
 */
export async function closeShard(
  client: Client,
  address: DatabaseAddress,
  order: { readonly shard: string; readonly epoch: number; readonly drainTimeoutMs: number },
): Promise<LogPosition> {
  await inTransaction(client, async () => {
    await client.query(`SET LOCAL lock_timeout = ${Math.max(1, Math.floor(order.drainTimeoutMs))}`);
    await lockAlone(client, address, order);
    const closed = await client.query(
      'UPDATE rejoin.shard SET epoch = $2, writable = false WHERE shard = $1 AND epoch <= $2',
      [order.shard, order.epoch],
    );
    if (closed.rowCount === 0) {
      throw await laterEpoch(client, address, order);
    }
  });
  return readPosition(client);
}

const lockNotAvailable = '55P03';

async function lockAlone(
  client: Client,
  address: DatabaseAddress,
  order: { readonly shard: string; readonly drainTimeoutMs: number },
): Promise<void> {
  try {
    await client.query('SELECT pg_advisory_xact_lock($1::integer, $2::integer)', [...shardLock(order.shard)]);
  } catch (thrown) {
    if (thrown instanceof DatabaseError && thrown.code === lockNotAvailable) {
      throw new RejoinError(
        'SqlFailed',
        `writers of ${order.shard} on node '${address.nodeId}' did not end within ${order.drainTimeoutMs} ms; it stays open`,
        { cause: thrown },
      );
    }
    throw thrown;
  }
}
