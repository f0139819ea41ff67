import type { Client } from 'pg';
import { positionBytes, positionOf, type LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { waitUntil } from '../condition';
import { shortSession, withSession, type ConnectionSource } from '../connection';

/** For how long a standby has to come no further by itself until it is believed to have replayed all that it has. */
const standstillMs = 3_000;
const pollMs = 250;

/** What a standby asks for next, in bytes; null: it has it already, or gets it from an archive. */
interface LogNeed {
  readonly fromBytes: bigint | null;
}

/** Segments are named by timeline, then by number: of the numbers, all timelines take part in one sequence. */
const oldestSql = `
  SELECT min(substr(name, 9)) AS segment, (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS bytes
    FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'`;

const needSql = `
  SELECT pg_last_wal_replay_lsn()::text AS "replayedTo",
         EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')
           OR current_setting('restore_command') <> '' AS "isServed"`;

/**
 * Refuses a standby that would wait for ever: its primary has removed log that it has not got. A standby that restarted
 * replays first what it has on disk, and asks for the rest then; so it is given time while it comes further.
 *
 * @throws SlotLost
 */
export async function refuseRemovedLog(
  source: ConnectionSource,
  standby: DatabaseAddress,
  primary: DatabaseAddress,
): Promise<void> {
  const kept = await withSession(source, primary, shortSession, oldestKept);
  await withSession(source, standby, shortSession, async (client) => {
    const first = await logNeed(client, kept.segmentBytes);
    let need = first;
    const hasEnough = async (): Promise<boolean> => {
      need = await logNeed(client, kept.segmentBytes);
      return need.fromBytes === null || need.fromBytes >= kept.fromBytes || need.fromBytes !== first.fromBytes;
    };
    await waitUntil(hasEnough, { timeoutMs: standstillMs, pollMs, late: () => removed(standby, primary, need, kept) });
  });
}

function removed(
  standby: DatabaseAddress,
  primary: DatabaseAddress,
  need: LogNeed,
  kept: { readonly fromBytes: bigint },
): RejoinError {
  return new RejoinError(
    'SlotLost',
    `node '${standby.nodeId}' needs the log of '${primary.nodeId}' from ${positionOf(need.fromBytes ?? 0n)} on, and that node has removed all before ${positionOf(kept.fromBytes)}; restore it from a newer snapshot, or keep more of the log (wal_keep_size)`,
  );
}

async function oldestKept(client: Client): Promise<{ readonly fromBytes: bigint; readonly segmentBytes: bigint }> {
  const { rows } = await client.query<{ segment: string | null; bytes: string }>(oldestSql);
  const { segment = null, bytes = '1' } = rows[0] ?? {};
  const segmentBytes = BigInt(bytes);
  const [high, low] = [segment?.slice(0, 8) ?? '0', segment?.slice(8) ?? '0'];
  return { fromBytes: (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) * segmentBytes, segmentBytes };
}

async function logNeed(client: Client, segmentBytes: bigint): Promise<LogNeed> {
  const { rows } = await client.query<{ replayedTo: LogPosition | null; isServed: boolean }>(needSql);
  const { replayedTo = null, isServed = true } = rows[0] ?? {};
  if (isServed || replayedTo === null) {
    return { fromBytes: null };
  }
  const bytes = positionBytes(replayedTo);
  // It asks for whole segments.
  return { fromBytes: bytes - (bytes % segmentBytes) };
}
