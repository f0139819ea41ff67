import { DatabaseError, type Client } from 'pg';
import { waitUntil } from '../condition';
import { connect } from '../connection';
import type { ConnectionSource } from '../connection';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';

/** How many statements one node builds at a time, all shards together. Each may use parallel workers of its own. */
const maxBuilders = 4;
const builderLock = 0x52_4a_42;
const builderName = 'rejoin builder';
const startTimeoutMs = 10_000;

/**
 * Works through what waits, one transaction a statement, until nothing waits. A statement whose object is there counts as
 * built; any other failure is kept for whoever asks for progress. Ending the session, or the server, leaves the row
 * `running` with a builder that is no more.
 */
const procedure = `
CREATE OR REPLACE PROCEDURE rejoin.build_indexes() LANGUAGE plpgsql AS $procedure$
DECLARE
  job record;
BEGIN
  LOOP
    UPDATE rejoin.index_build SET state = 'running', builder = pg_backend_pid(), detail = NULL
     WHERE number = (SELECT number FROM rejoin.index_build WHERE state = 'waiting' ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING number, statement INTO job;
    EXIT WHEN NOT FOUND;
    COMMIT;
    BEGIN
      EXECUTE job.statement;
      UPDATE rejoin.index_build SET state = 'built', builder = NULL WHERE number = job.number;
    EXCEPTION
      WHEN duplicate_table OR duplicate_object THEN
        UPDATE rejoin.index_build SET state = 'built', builder = NULL WHERE number = job.number;
      WHEN OTHERS THEN
        UPDATE rejoin.index_build SET state = 'failed', builder = NULL, detail = SQLSTATE || ': ' || SQLERRM WHERE number = job.number;
    END;
    COMMIT;
  END LOOP;
END
$procedure$`;

/** Queues statements; those that failed before are tried again. */
export async function enqueue(client: Client, shard: string, statements: readonly string[]): Promise<void> {
  await client.query('BEGIN');
  await client.query(`SELECT pg_advisory_xact_lock(5393742, 0); ${procedure}`);
  await client.query(
    `INSERT INTO rejoin.index_build AS b (shard, statement, state)
     SELECT $1, statement, 'waiting' FROM unnest($2::text[]) WITH ORDINALITY AS s(statement, place) ORDER BY place
     ON CONFLICT (shard, md5(statement)) DO UPDATE SET state = 'waiting', detail = NULL WHERE b.state IN ('failed', 'built')`,
    [shard, statements],
  );
  await client.query('COMMIT');
}

/**
 * Makes sure that somebody works on what waits: gives back what a vanished builder had, and starts builders while there
 * is room. Each builder is a session that nobody waits for: it sends its call, and then its client goes away. The server
 * notices that only when it has something to say, which is at the end.
 */
export async function startBuilders(source: ConnectionSource, address: DatabaseAddress, client: Client): Promise<void> {
  await client.query(
    `UPDATE rejoin.index_build SET state = 'waiting', builder = NULL
      WHERE state = 'running'
        AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = builder AND a.application_name = $1 AND a.datname = current_database())`,
    [builderName],
  );
  const { rows } = await client.query<{ wanted: number }>(
    `SELECT least((SELECT count(*) FROM rejoin.index_build WHERE state = 'waiting'),
                  ${maxBuilders} - (SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()))::integer AS wanted`,
    [builderName],
  );
  const wanted = rows[0]?.wanted ?? 0;
  for (let started = 0; started < wanted; started += 1) {
    if (!(await startBuilder(source, address, client))) {
      return;
    }
  }
}

/** @returns false when as many builders work as may */
async function startBuilder(source: ConnectionSource, address: DatabaseAddress, observer: Client): Promise<boolean> {
  const builder = await connect(source, address, { statementTimeoutMs: 0, role: 'origin' });
  try {
    await builder.query(`SET application_name = '${builderName}'; SET lock_timeout = 0; SET client_connection_check_interval = 0;
      SET idle_in_transaction_session_timeout = 0; SET client_min_messages = error`);
    const slot = await builder.query<{ pid: number }>(
      `SELECT pg_backend_pid() AS pid FROM generate_series(1, ${maxBuilders}) AS slot WHERE pg_try_advisory_lock(${builderLock}, slot) LIMIT 1`,
    );
    const pid = slot.rows[0]?.pid;
    if (pid === undefined) {
      return false;
    }
    // Fails when we hang up, which is meant; what the statements come to is in the table.
    const called = builder.query('CALL rejoin.build_indexes()').catch((thrown: unknown) => thrown);
    await waitUntil(() => hasBegun(observer, pid), {
      timeoutMs: startTimeoutMs,
      late: () =>
        new RejoinError(
          'SqlUnavailable',
          `node '${address.nodeId}' did not begin to build within ${startTimeoutMs} ms`,
        ),
    });
    await builder.end();
    const ended = await called;
    if (ended instanceof DatabaseError) {
      throw ended;
    }
    return true;
  } finally {
    await builder.end().catch(() => undefined);
  }
}

/** Whether the server runs the call, or has run it already. */
async function hasBegun(observer: Client, pid: number): Promise<boolean> {
  const { rows } = await observer.query<{ begun: boolean }>(
    `SELECT state <> 'active' OR query LIKE 'CALL%' AS begun FROM pg_stat_activity WHERE pid = $1 AND query NOT LIKE 'SELECT pg_backend_pid()%'
     UNION ALL SELECT true WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)`,
    [pid],
  );
  return rows[0]?.begun === true;
}
