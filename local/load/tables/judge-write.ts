export type WriteKind = 'insert' | 'update' | 'delete';

/** Rows that a transaction has written to one table so far. */
export interface TableTouches {
  readonly table: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

/**
 * Why a write must not be committed by a load that wants to know the state of every row that it writes; null when it may
 * be. A trigger or a cascade that changes other rows would leave the ledger behind; new rows elsewhere, such as those of
 * an audit table, don't.
 *
 * @param rows how many rows the statement says it wrote
 */
export function whyNotCommit(
  write: { readonly kind: WriteKind; readonly table: string; readonly rows: number },
  before: readonly TableTouches[],
  after: readonly TableTouches[],
): string | null {
  if (write.rows !== 1) {
    return `it writes ${write.rows} rows instead of one`;
  }
  for (const { table, updated, deleted } of touchesSince(before, after)) {
    const own = table === write.table;
    if (updated !== (own && write.kind === 'update' ? 1 : 0) || deleted !== (own && write.kind === 'delete' ? 1 : 0)) {
      return `it also changes rows of ${own ? 'the same table' : table}, by a trigger or a cascade`;
    }
  }
  return null;
}

/** The server's counts may begin before the transaction. */
function touchesSince(before: readonly TableTouches[], after: readonly TableTouches[]): readonly TableTouches[] {
  const earlier = new Map(before.map((touches) => [touches.table, touches]));
  return after.map(({ table, inserted, updated, deleted }) => {
    const then = earlier.get(table);
    return {
      table,
      inserted: inserted - (then?.inserted ?? 0),
      updated: updated - (then?.updated ?? 0),
      deleted: deleted - (then?.deleted ?? 0),
    };
  });
}

/**
 * Whether an error says that the data doesn't allow a write, and not that it failed: constraints, values that don't fit,
 * rights, and what triggers raise.
 */
export function isRefusal(sqlState: string | undefined): boolean {
  return /^(21|22|23|27|2F|38|39|42|44|P0|55000$)/.test(sqlState ?? '');
}

/** Operations that the data refuses again and again are given up, so that a load is not made of refusals alone. */
export class Refusals {
  private readonly counts = new Map<string, number>();
  private readonly inARow = new Map<string, number>();
  total = 0;

  constructor(private readonly patience = 10) {}

  note(operation: string, reason: string): void {
    this.total += 1;
    const text = `${operation}: ${reason}`;
    this.counts.set(text, (this.counts.get(text) ?? 0) + 1);
    this.inARow.set(operation, (this.inARow.get(operation) ?? 0) + 1);
  }

  succeeded(operation: string): void {
    this.inARow.delete(operation);
  }

  givenUp(operation: string): boolean {
    return (this.inARow.get(operation) ?? 0) >= this.patience;
  }

  /** Reasons with how often, the most frequent first. */
  entries(): readonly (readonly [reason: string, count: number])[] {
    return [...this.counts].sort(([, left], [, right]) => right - left);
  }
}
