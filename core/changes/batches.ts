import { positionOf, type LogPosition } from '../cluster/position';
import { RejoinError } from '../errors';
import { TableCompaction, type TableBatch } from './compaction';
import { decodeMessage, kindOfMessage, type ChangeMessage, type Relation } from './pgoutput';
import { SegmentReader } from './segment';

/** What a segment says about the tables that its rows are in. */
export interface SegmentRelations {
  readonly relations: ReadonlyMap<number, Relation>;
  /** Qualified names of types that are not built in, by their id on the source. */
  readonly types: ReadonlyMap<number, { readonly schema: string; readonly name: string }>;
}

/** @throws ChunkDamaged; SqlFailed when a table changed its columns within the segment */
export function relationsOf(body: Buffer): SegmentRelations {
  const relations = new Map<number, Relation>();
  const types = new Map<number, { readonly schema: string; readonly name: string }>();
  const reader = new SegmentReader(body);
  while (reader.next()) {
    if (kindOfMessage(body[reader.start]) !== 'relation') {
      continue;
    }
    const message = decodeMessage(body, reader.start, reader.end);
    if (message.kind === 'type') {
      types.set(message.typeId, { schema: message.schema, name: message.name });
    } else if (message.kind === 'relation') {
      const { relation } = message;
      const before = relations.get(relation.id);
      if (before !== undefined) {
        checkSameShape(before, relation);
      }
      relations.set(relation.id, relation);
    }
  }
  return { relations, types };
}

function checkSameShape(before: Relation, after: Relation): void {
  const shape = (relation: Relation): string =>
    `${relation.schema}.${relation.table} (${relation.columns.map(({ name, typeId }) => `${name} ${typeId}`).join(', ')})`;
  if (shape(before) !== shape(after)) {
    throw new RejoinError(
      'SqlFailed',
      `table '${before.schema}.${before.table}' changed on the source while its changes were captured: from ${shape(before)} to ${shape(after)} (columns with their type ids); changed tables need a new full backup`,
    );
  }
}

export interface BatchLimits {
  /** Row changes after which a batch ends with its transaction. */
  readonly maxChanges: number;
  readonly maxBytes: number;
}

/** Changes of whole transactions, folded into the last one of each key. */
export interface ChangeBatch {
  /** The end of its last transaction. */
  readonly to: LogPosition;
  /** Changes folded in; a TRUNCATE counts as one. */
  readonly rows: number;
  readonly tables: readonly TableBatch[];
}

/**
 * Folds a segment's transactions into batches, as they are asked for, so that only one or two are in memory.
 *
 * @throws ChunkDamaged when the segment is not made of whole transactions
 */
export class BatchReader {
  /** Changes of transactions that were passed over so far. */
  passedOver = 0;
  private readonly reader: SegmentReader;
  private tables = new Map<number, TableCompaction>();
  private rows = 0;
  private bytes = 0;
  /** Undefined: not folded yet. */
  private prepared: ChangeBatch | null | undefined;
  private transaction: 'none' | 'taken' | 'passed over' = 'none';

  /**
   * @param after transactions that end at or before this position, in bytes, are passed over
   * @param keyPositions the key's columns, by relation id
   */
  constructor(
    private readonly body: Buffer,
    private readonly relations: ReadonlyMap<number, Relation>,
    private readonly keyPositions: ReadonlyMap<number, readonly number[]>,
    private readonly limits: BatchLimits,
    private readonly after: bigint | null,
  ) {
    this.reader = new SegmentReader(body);
  }

  /** The next batch, or null when there is none. */
  next(): ChangeBatch | null {
    this.prepare();
    const batch = this.prepared ?? null;
    this.prepared = undefined;
    return batch;
  }

  /** Folds the next batch ahead of time. */
  prepare(): void {
    if (this.prepared === undefined) {
      this.prepared = this.fold();
    }
  }

  private fold(): ChangeBatch | null {
    const { reader, body, limits } = this;
    let to: bigint | null = null;
    while (reader.next()) {
      const message = decodeMessage(body, reader.start, reader.end);
      this.bytes += reader.end - reader.start;
      const end = this.take(message);
      to = end ?? to;
      if (end !== null && (this.rows >= limits.maxChanges || this.bytes >= limits.maxBytes)) {
        return this.finish(end);
      }
    }
    if (this.transaction !== 'none') {
      throw this.damaged('ends within a transaction');
    }
    return to === null ? null : this.finish(to);
  }

  /** @returns where the transaction ended, if this ends one that was taken */
  private take(message: ChangeMessage): bigint | null {
    switch (message.kind) {
      case 'begin':
        if (this.transaction !== 'none') {
          throw this.damaged('has a transaction that begins within another');
        }
        // A transaction's commit begins before a position exactly when it ends at or before it: positions lie between records.
        this.transaction = this.after !== null && message.commitAt < this.after ? 'passed over' : 'taken';
        return null;
      case 'commit': {
        const { transaction } = this;
        this.transaction = 'none';
        return transaction === 'taken' ? message.end : null;
      }
      case 'insert':
      case 'update':
      case 'delete':
        if (this.counts(1)) {
          this.table(message.relationId).add(message);
        }
        return null;
      case 'truncate':
        if (this.counts(1)) {
          message.relationIds.forEach((id) => {
            this.table(id).truncate();
          });
        }
        return null;
      case 'origin':
      case 'relation':
      case 'type':
        return null;
    }
  }

  /** Counts changes; false when their transaction is passed over. */
  private counts(changes: number): boolean {
    switch (this.transaction) {
      case 'none':
        throw this.damaged('has a change outside a transaction');
      case 'passed over':
        this.passedOver += changes;
        return false;
      case 'taken':
        this.rows += changes;
        return true;
    }
  }

  private table(relationId: number): TableCompaction {
    const known = this.tables.get(relationId);
    if (known !== undefined) {
      return known;
    }
    const relation = this.relations.get(relationId);
    const keyPositions = this.keyPositions.get(relationId);
    if (relation === undefined || keyPositions === undefined) {
      throw this.damaged(`has a change of relation ${relationId}, which it does not describe`);
    }
    const table = new TableCompaction(this.body, relation, keyPositions);
    this.tables.set(relationId, table);
    return table;
  }

  private finish(end: bigint): ChangeBatch {
    const batch = {
      to: positionOf(end),
      rows: this.rows,
      tables: [...this.tables.values()].map((table) => table.result()),
    };
    this.tables = new Map();
    this.rows = 0;
    this.bytes = 0;
    return batch;
  }

  private damaged(what: string): RejoinError {
    return new RejoinError(
      'ChunkDamaged',
      `a change segment of ${this.body.length} bytes ${what} (byte ${this.reader.start}); capture the range again`,
    );
  }
}
