/** What names a row, or the state in which it is, in the ledger: an order's id and version, a row's key and digest. */
export type RowName = string | number;
export type RowState = string | number;

/** What the clients know of one row: its last acknowledged state, and what may have happened since. */
export interface RowRecord {
  readonly shard: number;
  /** The state that was acknowledged; null: acknowledged as deleted, or never there. */
  acknowledged: RowState | null;
  /** When it was acknowledged; 0: before the load began. */
  readonly acknowledgedAtMs: number;
  /** The outcome of a write that was sent but never answered; undefined: there is none. */
  unanswered: RowState | null | undefined;
}

/** What messages call a row and its state: 'order' and 'version'. */
export interface LedgerWords {
  readonly row: string;
  readonly state: string;
}

/** How what a database holds differs from what its clients were told. */
export interface LedgerVerdict {
  /** Rows whose acknowledged state is not there. */
  readonly missing: readonly string[];
  /** Rows that were acknowledged as deleted and are there. */
  readonly undead: readonly string[];
  readonly checked: number;
}

/** Notes every acknowledged write outside the database, so that the database can be asked for each of them afterwards. */
export class Ledger {
  private readonly rows = new Map<RowName, RowRecord>();

  /** A row that was there before the load began. */
  adopt(row: RowName, shard: number, state: RowState): void {
    this.rows.set(row, { shard, acknowledged: state, acknowledgedAtMs: 0, unanswered: undefined });
  }

  /** A write was answered with success. */
  acknowledge(row: RowName, shard: number, state: RowState | null, atMs = Date.now()): void {
    this.rows.set(row, { shard, acknowledged: state, acknowledgedAtMs: atMs, unanswered: undefined });
  }

  /** A write was sent, and nobody said what became of it. A new row that was not answered has no acknowledged state. */
  leaveOpen(row: RowName, shard: number, state: RowState | null, before: RowState | null): void {
    const acknowledgedAtMs = this.rows.get(row)?.acknowledgedAtMs ?? 0;
    this.rows.set(row, { shard, acknowledged: before, acknowledgedAtMs, unanswered: state });
  }

  ofShard(shard: number): ReadonlyMap<RowName, RowRecord> {
    return new Map([...this.rows].filter(([, record]) => record.shard === shard));
  }

  entries(): readonly (readonly [RowName, RowRecord])[] {
    return [...this.rows];
  }
}

/** Compares the rows that a database holds, as name → state, with what its clients were told about them. */
export function compareWithLedger(
  rows: ReadonlyMap<RowName, RowRecord>,
  found: ReadonlyMap<RowName, RowState>,
  words: LedgerWords,
): LedgerVerdict {
  const missing: string[] = [];
  const undead: string[] = [];
  for (const [row, record] of rows) {
    const state = found.get(row) ?? null;
    if (state === record.acknowledged || (record.unanswered !== undefined && state === record.unanswered)) {
      continue;
    }
    if (record.acknowledged === null) {
      undead.push(`${words.row} ${row}: deleted, found ${words.state} ${state ?? 'none'}`);
    } else {
      missing.push(
        `${words.row} ${row}: ${words.state} ${record.acknowledged} acknowledged, found ${state ?? 'nothing'}`,
      );
    }
  }
  return { missing, undead, checked: rows.size };
}
