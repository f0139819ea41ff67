import type { Client } from 'pg';
import type { IncompleteRow, TableBatch } from '../../../core/changes/compaction';
import type { Tuple } from '../../../core/changes/pgoutput';
import { Staging } from './staging';
import type { TargetTable } from './target-table';
import { completeSql, deleteSql, insertSql, isComplete, updateSql } from './write-statements';

/** Applies batches to one table, in the transaction that the caller has begun. */
export class TableApplier {
  private readonly staging: Staging;
  /**
   * Delete all changed rows before any is written: two rows may have swapped a unique value, which an update in place
   * refuses, and an identity column GENERATED ALWAYS can be inserted but not updated.
   */
  private readonly deleteFirst: boolean;

  constructor(
    private readonly client: Client,
    private readonly body: Buffer,
    private readonly target: TargetTable,
    number: number,
  ) {
    this.staging = new Staging(client, number, target);
    const { facts, columns, keyPositions } = target;
    this.deleteFirst =
      facts.otherUnique || columns.some(({ alwaysIdentity }, place) => alwaysIdentity && !keyPositions.includes(place));
  }

  /** @param meanwhile called while the server is busy with the longest of the statements */
  async apply(batch: TableBatch, meanwhile: () => void): Promise<void> {
    const { writes, inPlace, relocated } = batch;
    const { deleteFirst } = this;
    // Before anything is deleted: values that were left out are in rows that may be among it.
    const partial = await this.complete(deleteFirst ? [...inPlace.map(ownBase), ...relocated] : relocated);
    await this.delete(batch.deletes);
    const rows = writes.length === 0 ? null : await this.staging.rows(this.body, writes);
    const staged = [
      ...(rows === null ? [] : [{ stage: rows }]),
      ...(partial === null ? [] : [{ stage: partial, condition: isComplete }]),
    ];
    if (deleteFirst) {
      for (const { stage, condition } of staged) {
        await this.client.query(deleteSql(this.target, stage, condition));
      }
    } else {
      await this.updateInPlace(inPlace);
    }
    for (const { stage, condition } of staged) {
      await whileWaiting(
        this.client.query(insertSql(this.target, stage, { replace: !deleteFirst, condition })),
        meanwhile,
      );
    }
  }

  private async updateInPlace(rows: readonly Tuple[]): Promise<void> {
    if (rows.length > 0) {
      const stage = await this.staging.partial('in_place', this.body, rows);
      await this.client.query(updateSql(this.target, stage));
    }
  }

  private async complete(rows: readonly IncompleteRow[]): Promise<string | null> {
    if (rows.length === 0) {
      return null;
    }
    const values = rows.map((row) => row.values);
    const partial = await this.staging.partial('partial', this.body, values);
    const bases = await this.staging.bases(this.body, rows);
    await this.client.query(completeSql(this.target, partial, bases));
    return partial;
  }

  private async delete(keys: readonly Tuple[]): Promise<void> {
    if (keys.length > 0) {
      const stage = await this.staging.keys(this.body, keys);
      await this.client.query(deleteSql(this.target, stage));
    }
  }
}

/** Works while a statement runs; ends with it, also when the work fails. */
async function whileWaiting(statement: Promise<unknown>, work: () => void): Promise<void> {
  try {
    work();
  } finally {
    await statement;
  }
}

function ownBase(values: Tuple): IncompleteRow {
  return { values, bases: [values] };
}
