import type { Client } from 'pg';
import type { LogPosition } from '../../../core/cluster/position';
import { leftHistoryAt, parseTimelineHistory, type TimelineSwitch } from '../../../core/cluster/timeline';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { waitUntil } from '../condition';
import { shortSession, withSession, type ConnectionSource } from '../connection';
import { standbyState } from './standby-state';

/** A standby that goes over to the next timeline at this moment has its position and not yet its first segment. */
const settleTimeoutMs = 1_000;

interface History {
  readonly timeline: number;
  readonly history: readonly TimelineSwitch[];
}

/** The newest timeline of which a server has log: a standby that receives one has its first segment. */
const timelineSql = `
  SELECT max(left(name, 8)) AS timeline FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'`;

/**
 * Refuses a standby that has received more than its new primary had when that was promoted. The server would wait for ever,
 * show itself as streaming now and then, and keep rows that nobody else has.
 *
 * @throws SqlFailed
 */
export async function refuseOtherHistory(
  source: ConnectionSource,
  standby: DatabaseAddress,
  primary: DatabaseAddress,
): Promise<void> {
  const history = await withSession(source, primary, shortSession, historyOf);
  if (history === null) {
    return;
  }
  await withSession(source, standby, shortSession, async (client) => {
    let leftAt: LogPosition | null = null;
    let receivedTo: LogPosition | null = null;
    const sharesHistory = async (): Promise<boolean> => {
      ({ receivedTo } = await standbyState(client));
      const timeline = await newestTimeline(client);
      leftAt = receivedTo === null ? null : leftHistoryAt({ timeline, receivedTo }, history);
      return leftAt === null;
    };
    await waitUntil(sharesHistory, {
      timeoutMs: settleTimeoutMs,
      late: () =>
        new RejoinError(
          'SqlFailed',
          `node '${standby.nodeId}' has received log up to ${receivedTo ?? 'nothing'}, and shares the history of '${primary.nodeId}' up to ${leftAt ?? 'nothing'} only, so it can't follow; replace it`,
        ),
    });
  });
}

/** Null for a standby: it has its primary's, which may change. */
async function historyOf(client: Client): Promise<History | null> {
  if ((await standbyState(client)).standby) {
    return null;
  }
  // Not the control file's: that says so only after the first checkpoint.
  const { rows } = await client.query<{ timeline: string }>(
    'SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline',
  );
  const name = rows[0]?.timeline ?? '00000001';
  const file = await client.query<{ text: string | null }>('SELECT pg_read_file($1, true) AS text', [
    `pg_wal/${name}.history`,
  ]);
  return { timeline: Number.parseInt(name, 16), history: parseTimelineHistory(file.rows[0]?.text ?? '') };
}

async function newestTimeline(client: Client): Promise<number> {
  const { rows } = await client.query<{ timeline: string | null }>(timelineSql);
  return Number.parseInt(rows[0]?.timeline ?? '1', 16);
}
