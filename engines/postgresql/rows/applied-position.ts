import type { Client } from 'pg';
import { positionBytes, positionOf, type LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';
import { hasBookkeeping } from '../bookkeeping';

/** One slot's log, as far as one shard is concerned. */
export interface Lineage {
  readonly shard: string;
  readonly lineage: string;
}

const positionSql = `SELECT position::text AS position FROM rejoin.applied WHERE shard = $1 AND lineage = $2`;

/** The position reached, or null before the first apply. */
export async function appliedTo(client: Client, { shard, lineage }: Lineage): Promise<LogPosition | null> {
  if (!(await hasBookkeeping(client))) {
    return null;
  }
  const { rows } = await client.query<{ position: LogPosition }>(positionSql, [shard, lineage]);
  return rows[0] === undefined ? null : positionOf(positionBytes(rows[0].position));
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
