import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { waitUntil } from '../condition';
import { shortSession, withSession, type ConnectionSource } from '../connection';
import { literal } from '../identifier';
import { hideFromLog } from '../replication/hide-from-log';

/** Whose log a standby receives. */
export interface PrimarySetting {
  /** Holds a password. */
  readonly conninfo: string;
  readonly slot: string;
}

const reloadTimeoutMs = 10_000;
/** Not a level that operators choose, so what a run that was cut off has left is told from what they set. */
const silence = 'panic';

/** What ALTER SYSTEM says of the server's log level; no row where it says nothing. */
const logLevelSql = `
  SELECT setting AS level FROM pg_file_settings
   WHERE name = 'log_min_messages' AND sourcefile LIKE '%postgresql.auto.conf'`;

/** Whether nothing is left to be set. */
export async function isPrimarySet(client: Client, setting: PrimarySetting): Promise<boolean> {
  return (await isTakenOver(client, setting)) && (await logLevel(client)) !== silence;
}

/**
 * Sets whose log the standby receives. A server that reloads its configuration logs each changed value, and this one holds a
 * password: so its log is silent meanwhile, for some hundredths of a second.
 *
 * @throws SqlUnavailable when the server does not reload
 */
export async function setPrimary(
  source: ConnectionSource,
  standby: DatabaseAddress,
  setting: PrimarySetting,
): Promise<void> {
  const levelBefore = await withSession(source, standby, shortSession, async (client) => {
    const level = await logLevel(client);
    await hideFromLog(client);
    // One reload takes values over in the order in which they were set.
    await client.query(`ALTER SYSTEM SET log_min_messages = ${silence}`);
    await client.query(`ALTER SYSTEM SET primary_slot_name = ${literal(setting.slot)}`);
    await client.query(`ALTER SYSTEM SET primary_conninfo = ${literal(setting.conninfo)}`);
    await client.query('SELECT pg_reload_conf()');
    return level === silence ? null : level;
  });
  // Each time in a new session: it begins with what the server itself has taken over.
  await waitUntil(() => withSession(source, standby, shortSession, (client) => isTakenOver(client, setting)), {
    timeoutMs: reloadTimeoutMs,
    late: () =>
      new RejoinError(
        'SqlUnavailable',
        `node '${standby.nodeId}' did not take over whose log it receives within ${reloadTimeoutMs} ms; try again`,
      ),
  });
  await withSession(source, standby, shortSession, async (client) => {
    await client.query(
      levelBefore === null
        ? 'ALTER SYSTEM RESET log_min_messages'
        : `ALTER SYSTEM SET log_min_messages = ${literal(levelBefore)}`,
    );
    await client.query('SELECT pg_reload_conf()');
  });
}

/** Compares digests, because parameters of statements may be logged. */
async function isTakenOver(client: Client, setting: PrimarySetting): Promise<boolean> {
  const { rows } = await client.query<{ same: boolean }>(
    `SELECT md5(current_setting('primary_conninfo')) = $1 AND current_setting('primary_slot_name') = $2 AS same`,
    [createHash('md5').update(setting.conninfo).digest('hex'), setting.slot],
  );
  return rows[0]?.same === true;
}

async function logLevel(client: Client): Promise<string | null> {
  const { rows } = await client.query<{ level: string }>(logLevelSql);
  return rows[0]?.level ?? null;
}
