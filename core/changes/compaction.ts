import { RejoinError } from '../errors';
import { textBytes, valueKind, type OldTuple, type Relation, type RowChange, type Tuple } from './pgoutput';

/** A row whose unchanged TOAST values only the target has. */
export interface IncompleteRow {
  readonly values: Tuple;
  /** Rows of the target that may hold the missing values, best first; each a tuple of which only the key counts. */
  readonly bases: readonly Tuple[];
}

/**
 * What a batch of changes does to one table. To apply: empty it if `truncated`; find what `relocated` rows miss; delete
 * `deletes`; update `inPlace` rows; insert or replace `writes` and the relocated rows that were completed. A key occurs
 * once, except that a relocated row's may also have to be deleted first.
 */
export interface TableBatch {
  readonly relation: Relation;
  readonly truncated: boolean;
  /** Tuples of which only the key counts. */
  readonly deletes: readonly Tuple[];
  /** Complete rows. */
  readonly writes: readonly Tuple[];
  /** Rows whose missing values are in the target's row of the same key: an update of the other columns. */
  readonly inPlace: readonly Tuple[];
  readonly relocated: readonly IncompleteRow[];
}

/** The newest thing known of a key. */
type Entry =
  | { readonly kind: 'deleted'; readonly values: Tuple }
  | { readonly kind: 'complete'; readonly values: Tuple }
  | { readonly kind: 'in place'; readonly values: Tuple }
  | {
      readonly kind: 'relocated';
      readonly values: Tuple;
      readonly bases: readonly Tuple[];
      /** Another row had this key and was deleted in this batch. */
      readonly replaces: boolean;
    };

/**
 * Folds the changes of one table, in order, into the last one of each key.
 *
 * Tables are independent of each other here: rows are applied without triggers and foreign keys. TRUNCATE is a barrier:
 * what came before it is forgotten, and the table is emptied before what follows.
 *
 * An update leaves out TOAST values that did not change. They are taken from an earlier change of the row in the batch,
 * or else from the target: from the row of the same key, or of the key that the row had before. The new key is asked
 * first unless it was deleted in this batch: when rows were copied without a lock, the target may already have the row
 * there, and the old key may belong to another row by now. Where neither is there, the row was copied neither here nor
 * there; nothing can be written, and the comparison of rows repairs it.
 */
export class TableCompaction {
  private readonly entries = new Map<string, Entry>();
  private truncated = false;

  /** @param keyPositions which columns of the relation are the key */
  constructor(
    private readonly body: Buffer,
    private readonly relation: Relation,
    private readonly keyPositions: readonly number[],
  ) {}

  truncate(): void {
    this.entries.clear();
    this.truncated = true;
  }

  /** @throws SqlFailed when the change does not carry the key */
  add(change: RowChange): void {
    switch (change.kind) {
      case 'insert':
        this.entries.set(this.keyOf(change.values), { kind: 'complete', values: change.values });
        return;
      case 'delete':
        this.entries.set(this.keyOf(change.old.values), { kind: 'deleted', values: change.old.values });
        return;
      case 'update':
        this.update(change.old, change.values);
    }
  }

  result(): TableBatch {
    const deletes: Tuple[] = [];
    const writes: Tuple[] = [];
    const inPlace: Tuple[] = [];
    const relocated: IncompleteRow[] = [];
    for (const entry of this.entries.values()) {
      switch (entry.kind) {
        case 'deleted':
          deletes.push(entry.values);
          break;
        case 'complete':
          writes.push(entry.values);
          break;
        case 'in place':
          inPlace.push(entry.values);
          break;
        case 'relocated':
          relocated.push(entry);
          if (entry.replaces) {
            deletes.push(entry.values);
          }
      }
    }
    return { relation: this.relation, truncated: this.truncated, deletes, writes, inPlace, relocated };
  }

  private update(old: OldTuple | null, changed: Tuple): void {
    const values =
      old === null ? changed : this.merge(changed, old.values, old.kind === 'full' ? null : this.keyPositions);
    const key = this.keyOf(values);
    const oldKey = old === null ? key : this.keyOf(old.values);
    if (this.isComplete(values)) {
      if (old !== null && oldKey !== key) {
        this.entries.set(oldKey, { kind: 'deleted', values: old.values });
      }
      this.entries.set(key, { kind: 'complete', values });
      return;
    }
    const before = this.entries.get(oldKey);
    const merged = before === undefined || before.kind === 'deleted' ? values : this.merge(values, before.values, null);
    if (old === null || oldKey === key) {
      this.writeAgain(key, merged, before);
    } else {
      this.move({ merged, before, old: old.values, oldKey }, key);
    }
  }

  /** The row keeps its key. */
  private writeAgain(key: string, values: Tuple, before: Entry | undefined): void {
    if (this.isComplete(values)) {
      this.entries.set(key, { kind: 'complete', values });
    } else {
      this.entries.set(key, before?.kind === 'relocated' ? { ...before, values } : { kind: 'in place', values });
    }
  }

  private move(row: { merged: Tuple; before: Entry | undefined; old: Tuple; oldKey: string }, key: string): void {
    const { merged: values, before, old, oldKey } = row;
    this.entries.set(oldKey, { kind: 'deleted', values: old });
    if (this.isComplete(values)) {
      this.entries.set(key, { kind: 'complete', values });
      return;
    }
    const replaces = this.entries.has(key);
    const bases = [...(replaces ? [] : [values]), ...(before?.kind === 'relocated' ? before.bases : [old])];
    this.entries.set(key, { kind: 'relocated', values, bases, replaces });
  }

  /** `values` with its unchanged ones taken from `earlier`, in the given columns or in all. */
  private merge(values: Tuple, earlier: Tuple, positions: readonly number[] | null): Tuple {
    if (this.isComplete(values)) {
      return values;
    }
    return values.map((at, position) =>
      this.body[at] === valueKind.unchanged && (positions === null || positions.includes(position))
        ? (earlier[position] ?? at)
        : at,
    );
  }

  private isComplete(values: Tuple): boolean {
    for (const at of values) {
      if (this.body[at] === valueKind.unchanged) {
        return false;
      }
    }
    return true;
  }

  /** The key's bytes: equal exactly when all its texts are. */
  private keyOf(values: Tuple): string {
    const { body, keyPositions } = this;
    let key = '';
    for (const position of keyPositions) {
      const at = values[position];
      if (at === undefined || body[at] !== valueKind.text) {
        const { schema, table, columns } = this.relation;
        throw new RejoinError(
          'SqlFailed',
          `a change of table '${schema}.${table}' lacks key column '${columns[position]?.name ?? position}': its replica identity on the source does not cover the primary key; set REPLICA IDENTITY DEFAULT there and make a new full backup`,
        );
      }
      const end = at + 5 + textBytes(body, at);
      // The length goes in where texts follow each other, so that ('a', 'bc') is not ('ab', 'c').
      key += body.toString('latin1', keyPositions.length === 1 ? at + 5 : at + 1, end);
    }
    return key;
  }
}
