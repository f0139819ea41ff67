import { DatabaseError, type Client } from 'pg';
import { BatchReader, relationsOf, type BatchLimits, type ChangeBatch } from '../../../core/changes/batches';
import { segmentBounds } from '../../../core/changes/segment';
import { comparePositions, positionBytes, type LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';
import { createBookkeeping } from '../bookkeeping';
import { inTransaction } from '../connection';
import { appliedTo, lockApplied, moveApplied, type Lineage } from './applied-position';
import { TableApplier } from './apply-table';
import { guardSession } from './guard-session';
import { findTarget, type TargetTable } from './target-table';

/** Larger batches fold more changes of a key into one, smaller ones keep less in memory and shorter locks. */
export const standardBatch: BatchLimits = { maxChanges: 50_000, maxBytes: 16_777_216 };

export interface ApplyOrder extends Lineage {
  readonly body: Buffer;
  readonly to: LogPosition;
}

/** Staged rows stay in memory, and their keys are looked up one by one in the table's index: it is mostly far larger. */
const sessionSql = `
  SET temp_buffers = '32MB';
  SET work_mem = '64MB';
  SET enable_seqscan = off;
  SET enable_hashjoin = off;
  SET enable_mergejoin = off`;

const uniqueViolation = '23505';
const exclusionViolation = '23P01';

/**
 * Applies a segment in batches of whole transactions, each in one transaction with the position that it reaches. Two that
 * apply to the same shard at once, or one that was thought dead, take turns, and each passes over what the other did.
 *
 * @throws ManifestMismatch when the segment does not end where `to` says, or begins after the position reached: then
 * changes between the two are missing. SqlFailed when a table is not as the source's
 */
export async function applyChanges(
  client: Client,
  order: ApplyOrder,
  limits: BatchLimits = standardBatch,
): Promise<{ readonly rows: number; readonly passedOver: number }> {
  await guardSession(client);
  await client.query(sessionSql);
  await createBookkeeping(client);
  if (order.body.length === 0) {
    await reach(client, order);
    return { rows: 0, passedOver: 0 };
  }
  const appliers = await makeAppliers(client, order.body);
  let rows = 0;
  for (;;) {
    const before = await appliedTo(client, order);
    checkBounds(order, before);
    const reader = new BatchReader(
      order.body,
      appliers.relations,
      appliers.keyPositions,
      limits,
      before === null ? null : positionBytes(before),
    );
    const done = await applyBatches(client, order, { reader, appliers, before });
    if (done.overtaken) {
      rows += done.rows;
      continue;
    }
    await reach(client, order);
    // What this call applied before it was overtaken is passed over by the last reader too.
    return { rows: rows + done.rows, passedOver: reader.passedOver - rows };
  }
}

interface Appliers {
  readonly relations: ReturnType<typeof relationsOf>['relations'];
  readonly keyPositions: ReadonlyMap<number, readonly number[]>;
  readonly targets: ReadonlyMap<number, { readonly target: TargetTable; readonly applier: TableApplier }>;
}

async function makeAppliers(client: Client, body: Buffer): Promise<Appliers> {
  const { relations, types } = relationsOf(body);
  const keyPositions = new Map<number, readonly number[]>();
  const targets = new Map<number, { readonly target: TargetTable; readonly applier: TableApplier }>();
  for (const relation of relations.values()) {
    const target = await findTarget(client, relation, types);
    keyPositions.set(relation.id, target.keyPositions);
    targets.set(relation.id, { target, applier: new TableApplier(client, body, target, targets.size) });
  }
  return { relations, keyPositions, targets };
}

async function applyBatches(
  client: Client,
  order: ApplyOrder,
  work: { readonly reader: BatchReader; readonly appliers: Appliers; readonly before: LogPosition | null },
): Promise<{ readonly rows: number; readonly overtaken: boolean }> {
  const { reader, appliers } = work;
  let rows = 0;
  let expected = work.before;
  for (let batch = reader.next(); batch !== null; batch = reader.next()) {
    const current = batch;
    const applied = await inTransaction(client, async () => {
      if ((await lockApplied(client, order)) !== expected) {
        return false;
      }
      await applyBatch(client, current, appliers, () => {
        reader.prepare();
      });
      await moveApplied(client, order, current.to);
      return true;
    });
    if (!applied) {
      return { rows, overtaken: true };
    }
    rows += current.rows;
    expected = current.to;
  }
  return { rows, overtaken: false };
}

async function applyBatch(
  client: Client,
  batch: ChangeBatch,
  appliers: Appliers,
  meanwhile: () => void,
): Promise<void> {
  const tables = batch.tables.flatMap((table) => {
    const found = appliers.targets.get(table.relation.id);
    return found === undefined ? [] : [{ table, ...found }];
  });
  const truncated = tables.filter(({ table }) => table.truncated).map(({ target }) => `ONLY ${target.facts.name}`);
  if (truncated.length > 0) {
    // In one statement: tables that refer to each other can only be emptied together.
    await client.query(`TRUNCATE TABLE ${truncated.join(', ')}`);
  }
  for (const { table, applier } of tables) {
    try {
      await applier.apply(table, meanwhile);
    } catch (thrown) {
      throw explained(thrown);
    }
  }
}

/** Moves the position to the segment's end, where its last transaction ended before. */
async function reach(client: Client, order: ApplyOrder): Promise<void> {
  await inTransaction(client, async () => {
    const position = await lockApplied(client, order);
    if (position === null || comparePositions(position, order.to) < 0) {
      await moveApplied(client, order, order.to);
    }
  });
}

function checkBounds(order: ApplyOrder, before: LogPosition | null): void {
  const { from, to } = segmentBounds(order.body);
  if (comparePositions(to, order.to) !== 0) {
    throw new RejoinError(
      'ManifestMismatch',
      `a change segment of '${order.shard}' ends at ${to}, but ${order.to} was expected; list the stored segments again`,
    );
  }
  if (before !== null && comparePositions(from, before) > 0) {
    throw new RejoinError(
      'ManifestMismatch',
      `changes of '${order.shard}' between ${before}, which was reached, and ${from}, where the next segment begins, are missing; apply the segments of '${order.lineage}' in order`,
    );
  }
}

function explained(thrown: unknown): unknown {
  if (thrown instanceof DatabaseError && (thrown.code === uniqueViolation || thrown.code === exclusionViolation)) {
    return new RejoinError(
      'SqlFailed',
      `changes of table '${thrown.schema ?? ''}.${thrown.table ?? ''}' break its constraint '${thrown.constraint ?? ''}' (${thrown.detail ?? thrown.message}): rows that were copied without a lock may hold values of different moments until all changes up to the end of the copy are applied; drop the constraint, and build it again after that`,
      { cause: thrown },
    );
  }
  return thrown;
}
