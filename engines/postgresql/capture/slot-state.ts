import type { Client } from 'pg';
import { bytesBetween, type LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';
import type { SlotState } from '../../../core/ports/database-engine';

/** What the server says about a slot. */
export interface SlotFacts extends SlotState {
  /** Why it is lost, in the server's words; null unless lost. */
  readonly lostBecause: string | null;
  /** The server process that reads it now. */
  readonly activePid: number | null;
}

// `invalidation_reason` came with version 17; to_jsonb asks for it without naming a column that may be missing.
const slotSql = `
  SELECT confirmed_flush_lsn::text AS "confirmedTo", active_pid AS "activePid", wal_status AS "walStatus",
         to_jsonb(s) ->> 'invalidation_reason' AS "invalidation",
         plugin::text AS "plugin", s.database::text AS "database", current_database()::text AS "here",
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text AS "end"
    FROM pg_replication_slots s
   WHERE slot_name = $1`;

interface SlotRow {
  readonly confirmedTo: LogPosition | null;
  readonly activePid: number | null;
  readonly walStatus: string | null;
  readonly invalidation: string | null;
  readonly plugin: string | null;
  readonly database: string | null;
  readonly here: string;
  readonly end: LogPosition;
}

const absent: SlotFacts = { state: 'absent', confirmedTo: null, lagBytes: null, lostBecause: null, activePid: null };

/** @throws SqlFailed when a slot of that name serves another purpose; SqlUnavailable while it is being created */
export async function slotFacts(client: Client, slot: string): Promise<SlotFacts> {
  const { rows } = await client.query<SlotRow>(slotSql, [slot]);
  const [row] = rows;
  if (row === undefined) {
    return absent;
  }
  const { activePid, confirmedTo } = row;
  if (row.plugin !== 'pgoutput' || row.database !== row.here) {
    throw new RejoinError(
      'SqlFailed',
      `slot '${slot}' belongs to database '${row.database ?? 'none'}' and plugin '${row.plugin ?? 'none'}', not to '${row.here}' and 'pgoutput'; drop it, or choose another name`,
    );
  }
  if (row.walStatus === 'lost' || row.invalidation !== null) {
    const lostBecause = row.invalidation ?? 'wal_removed';
    return { state: 'lost', confirmedTo: null, lagBytes: null, lostBecause, activePid };
  }
  if (confirmedTo === null) {
    throw new RejoinError(
      'SqlUnavailable',
      `slot '${slot}' is still being created by server process ${activePid ?? 'unknown'}, which waits for open write transactions; try again when they have ended`,
    );
  }
  return {
    state: 'usable',
    confirmedTo,
    lagBytes: Math.max(0, bytesBetween(confirmedTo, row.end)),
    lostBecause: null,
    activePid,
  };
}

/** The error for a slot that can't be read any more. */
export function slotLost(slot: string, why: string): RejoinError {
  return new RejoinError(
    'SlotLost',
    `changes after the last captured position are gone: slot '${slot}' is ${why}; the shard has to start again with a new slot and new rows`,
  );
}
