import type { Client } from 'pg';
import type { LogPosition } from '../../../core/cluster/position';
import type { StandbyState } from '../../../core/ports/database-engine';

/**
 * A walreceiver that has begun knows only the beginning of the segment that it asked for, and none knows anything while
 * there is none: what is replayed is on disk in any case.
 */
const stateSql = `
  SELECT pg_is_in_recovery() AS "standby",
         EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS "streaming",
         CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) END::text
           AS "receivedTo",
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END::text AS "replayedTo"`;

/** Whether the server is a standby, and how far its primary's log has come to it. */
export async function standbyState(client: Client): Promise<StandbyState> {
  const { rows } = await client.query<{
    standby: boolean;
    streaming: boolean;
    receivedTo: LogPosition | null;
    replayedTo: LogPosition | null;
  }>(stateSql);
  return rows[0] ?? { standby: false, streaming: false, receivedTo: null, replayedTo: null };
}
