import type { Client } from 'pg';
import type { LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';

/**
 * Where the server's log ends: for a primary what it has written, for a standby what it has received. Every commit that
 * a session could see before this call lies before it.
 */
const positionSql = `
  SELECT CASE WHEN pg_is_in_recovery()
              THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
              ELSE pg_current_wal_lsn() END::text AS position`;

/** @throws SqlUnavailable while a standby has not received anything */
export async function readPosition(client: Client): Promise<LogPosition> {
  const { rows } = await client.query<{ position: string | null }>(positionSql);
  const position = rows[0]?.position ?? null;
  if (position === null) {
    throw new RejoinError(
      'SqlUnavailable',
      'the server has no log position yet; it is a standby that has received nothing',
    );
  }
  return position;
}
