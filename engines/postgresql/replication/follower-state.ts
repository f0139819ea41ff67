import type { Client } from 'pg';
import type { LogPosition } from '../../../core/cluster/position';

export interface FollowerState {
  readonly streaming: boolean;
  readonly flushedTo: LogPosition | null;
  readonly lagBytes: number | null;
}

/** While nobody streams, the slot still knows what was confirmed last. */
const stateSql = `
  SELECT coalesce(r.streaming, false) AS streaming,
         coalesce(r.flushed, s.confirmed_flush_lsn)::text AS "flushedTo",
         pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(r.flushed, s.confirmed_flush_lsn))::bigint AS "lagBytes"
    FROM (SELECT bool_or(state = 'streaming') AS streaming, max(flush_lsn) AS flushed
            FROM pg_stat_replication WHERE application_name = $1) r
    LEFT JOIN pg_replication_slots s ON s.slot_name = $1`;

/** What the primary knows of the follower of this name: its session and its slot have that name. */
export async function followerState(client: Client, name: string): Promise<FollowerState> {
  const { rows } = await client.query<{ streaming: boolean; flushedTo: string | null; lagBytes: string | null }>(
    stateSql,
    [name],
  );
  const seen = rows[0];
  return {
    streaming: seen?.streaming ?? false,
    flushedTo: seen?.flushedTo ?? null,
    lagBytes: seen?.lagBytes == null ? null : Math.max(0, Number(seen.lagBytes)),
  };
}

/**
 * Commits a row of our own and returns the position after it. The row is not published; its follower confirms the
 * position all the same, and with it everything before.
 */
export async function writeMarkerRow(client: Client, shard: string): Promise<void> {
  await client.query(
    `INSERT INTO rejoin.marker AS m (shard, number) VALUES ($1, 1)
     ON CONFLICT (shard) DO UPDATE SET number = m.number + 1`,
    [shard],
  );
}
