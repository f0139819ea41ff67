import type { Client } from 'pg';
import { comparePositions, positionBytes, positionOf, type LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';
import { hasBookkeeping } from '../bookkeeping';

/** One slot's log, as far as one shard is concerned. */
export interface Lineage {
  readonly shard: string;
  readonly lineage: string;
}

const positionSql = `SELECT position::text AS position FROM rejoin.applied WHERE shard = $1 AND lineage = $2`;

/** The position that applied segments reached, or null before the first apply. */
export async function appliedTo(client: Client, { shard, lineage }: Lineage): Promise<LogPosition | null> {
  if (!(await hasBookkeeping(client))) {
    return null;
  }
  const { rows } = await client.query<{ position: LogPosition }>(positionSql, [shard, lineage]);
  return rows[0] === undefined ? null : positionOf(positionBytes(rows[0].position));
}

/** Advances with each transaction that an apply worker commits, in that transaction. Other databases may use the name too. */
const originSql = `
  SELECT pg_replication_origin_progress('pg_' || s.oid, true)::text AS position
    FROM pg_subscription s
    JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
   WHERE s.subname = $1 AND EXISTS (SELECT FROM pg_replication_origin o WHERE o.roname = 'pg_' || s.oid)`;

/** The position reached, whether segments were applied or a subscription of the slot's name, which goes on from there. */
export async function reachedPosition(client: Client, lineage: Lineage): Promise<LogPosition | null> {
  const applied = await appliedTo(client, lineage);
  const { rows } = await client.query<{ position: LogPosition | null }>(originSql, [lineage.lineage]);
  const native = rows[0]?.position ?? null;
  if (native === null || (applied !== null && comparePositions(applied, native) >= 0)) {
    return applied;
  }
  return positionOf(positionBytes(native));
}

/** Makes others that change rows of the shard wait until the transaction ends. */
export async function lockShardRows(client: Client, shard: string): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(5393744, hashtext($1))`, [shard]);
}

/** Takes that lock; returns the position that no other can change until the transaction ends. */
export async function lockApplied(client: Client, lineage: Lineage): Promise<LogPosition | null> {
  await lockShardRows(client, lineage.shard);
  return appliedTo(client, lineage);
}

/** @throws SqlFailed when the position would not grow */
export async function moveApplied(client: Client, { shard, lineage }: Lineage, to: LogPosition): Promise<void> {
  const { rowCount } = await client.query(
    `INSERT INTO rejoin.applied AS a (shard, lineage, position) VALUES ($1, $2, $3::pg_lsn)
         ON CONFLICT (shard, lineage) DO UPDATE SET position = EXCLUDED.position WHERE a.position < EXCLUDED.position`,
    [shard, lineage, to],
  );
  if (rowCount !== 1) {
    throw new RejoinError('SqlFailed', `the position of '${shard}' in '${lineage}' is already at or after ${to}`);
  }
}
