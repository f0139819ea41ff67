import type { Client } from 'pg';
import type { SlotRetention } from '../../../core/ports/database-engine';

/** A lost slot holds nothing back; -1 is no limit. A standby's log ends where it has replayed it to. */
const retentionSql = `
  SELECT (SELECT max(pg_wal_lsn_diff(
                       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                       restart_lsn))::bigint
            FROM pg_replication_slots WHERE wal_status <> 'lost') AS "retained",
         pg_size_bytes(nullif(current_setting('max_slot_wal_keep_size'), '-1')) AS "limit"`;

/** How much of the log the slowest of this server's slots holds back. */
export async function readRetention(client: Client): Promise<SlotRetention> {
  const { rows } = await client.query<{ retained: string | null; limit: string | null }>(retentionSql);
  const { retained = null, limit = null } = rows[0] ?? {};
  return { retainedBytes: Math.max(0, Number(retained ?? 0)), limitBytes: limit === null ? null : Number(limit) };
}
