import type { Client } from 'pg';
import type { LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';

/**
 * For a standby what it has received, for a primary what it has flushed: a follower can reach that, whereas what is only
 * in memory may stay there for as long as the server is quiet.
 */
const positionSql = `
  SELECT CASE WHEN pg_is_in_recovery()
              THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
              ELSE pg_current_wal_flush_lsn() END::text AS position,
         NOT pg_is_in_recovery() AND pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn() AS "isBehind"`;

/** Its commit flushes all before it, as sessions of ours have `synchronous_commit = local`. Nobody decodes the message. */
const flushSql = `SELECT pg_logical_emit_message(true, 'rejoin', '')`;

/**
 * Where the server's log ends. Every commit that a session could see before this call lies before it, also one of a
 * session that doesn't wait for its own.
 *
 * @throws SqlUnavailable while a standby has not received anything
 */
export async function readPosition(client: Client): Promise<LogPosition> {
  let seen = await ask(client);
  if (seen.isBehind) {
    await client.query(flushSql);
    seen = await ask(client);
  }
  if (seen.position === null) {
    throw new RejoinError(
      'SqlUnavailable',
      'the server has no log position yet; it is a standby that has received nothing',
    );
  }
  return seen.position;
}

async function ask(client: Client): Promise<{ readonly position: LogPosition | null; readonly isBehind: boolean }> {
  const { rows } = await client.query<{ position: string | null; isBehind: boolean }>(positionSql);
  return rows[0] ?? { position: null, isBehind: false };
}
