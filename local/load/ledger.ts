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
  /** When its first write was acknowledged; 0: it was there before. */
  readonly firstAtMs: number;
  /** The outcome of a write that was sent but never answered; undefined: there is none. */
  unanswered: RowState | null | undefined;
}

/** What messages call a row and its state: 'order' and 'version'. */
export interface LedgerWords {
  readonly row: string;
  readonly state: string;
}

export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** How what a database holds differs from what its clients were told. */
export interface LedgerVerdict {
  /** Rows whose acknowledged state is not there. */
  readonly missing: readonly string[];
  /** Rows that were acknowledged as deleted and are there. */
  readonly undead: readonly string[];
  /** Either of it, where it was acknowledged within a time whose writes may be lost. */
  readonly lost: readonly string[];
  readonly checked: number;
}

/** Notes every acknowledged write outside the database, so that the database can be asked for each of them afterwards. */
export class Ledger {
  private readonly rows = new Map<RowName, RowRecord>();

  /** A row that was there before the load began. */
  adopt(row: RowName, shard: number, state: RowState): void {
    this.rows.set(row, { shard, acknowledged: state, acknowledgedAtMs: 0, firstAtMs: 0, unanswered: undefined });
  }

  /** A write was answered with success. */
  acknowledge(row: RowName, shard: number, state: RowState | null, atMs = Date.now()): void {
    const firstAtMs = this.rows.get(row)?.firstAtMs ?? atMs;
    this.rows.set(row, { shard, acknowledged: state, acknowledgedAtMs: atMs, firstAtMs, unanswered: undefined });
  }

  /** A write was sent, and nobody said what became of it. A new row that was not answered has no acknowledged state. */
  leaveOpen(row: RowName, shard: number, state: RowState | null, before: RowState | null): void {
    const { acknowledgedAtMs = 0, firstAtMs = 0 } = this.rows.get(row) ?? {};
    this.rows.set(row, { shard, acknowledged: before, acknowledgedAtMs, firstAtMs, unanswered: state });
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
  mayBeLost: TimeSpan | null = null,
): LedgerVerdict {
  const missing: string[] = [];
  const undead: string[] = [];
  const lost: string[] = [];
  for (const [row, record] of rows) {
    const state = found.get(row) ?? null;
    if (state === record.acknowledged || (record.unanswered !== undefined && state === record.unanswered)) {
      continue;
    }
    const broken = isLost(record, state, mayBeLost) ? lost : record.acknowledged === null ? undead : missing;
    if (record.acknowledged === null) {
      broken.push(`${words.row} ${row}: deleted, found ${words.state} ${state ?? 'none'}`);
    } else {
      broken.push(
        `${words.row} ${row}: ${words.state} ${record.acknowledged} acknowledged, found ${state ?? 'nothing'}`,
      );
    }
  }
  return { missing, undead, lost, checked: rows.size };
}

/** A lost insert takes later updates with it, which changed nothing and were acknowledged all the same. */
function isLost({ acknowledgedAtMs, firstAtMs }: RowRecord, state: RowState | null, span: TimeSpan | null): boolean {
  const within = (atMs: number): boolean => span !== null && atMs >= span.fromMs && atMs <= span.toMs;
  return within(acknowledgedAtMs) || (state === null && within(firstAtMs));
}
