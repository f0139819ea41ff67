import type { Client } from 'pg';
import type { SegmentRelations } from '../../../core/changes/batches';
import type { Relation, RelationColumn } from '../../../core/changes/pgoutput';
import { isRejoinError, RejoinError } from '../../../core/errors';
import { findTable, storedColumns, type ColumnFacts, type TableFacts } from '../table-facts';

/** A table that changes are applied to, and where the source's columns are in it. */
export interface TargetTable {
  readonly facts: TableFacts;
  /** Its stored columns in the order of the source's. */
  readonly columns: readonly ColumnFacts[];
  /** The key's columns, as places in `columns`, in the key's order. */
  readonly keyPositions: readonly number[];
}

/** Types up to this id are built in and have the same id on every server. */
const lastBuiltInType = 16_383;

/**
 * Finds the table that a segment's changes belong to.
 *
 * @throws SqlFailed naming table and column when its columns are not the source's: such changes are not in the log
 */
export async function findTarget(
  client: Client,
  relation: Relation,
  types: SegmentRelations['types'],
): Promise<TargetTable> {
  const facts = await findKeyed(client, relation);
  if (facts === null) {
    throw drift(relation, 'does not exist on this node');
  }
  const stored = new Map(storedColumns(facts).map((column) => [column.name, column]));
  const columns = relation.columns.map((column) => {
    const found = stored.get(column.name);
    if (found === undefined) {
      const isGenerated = facts.columns.some(({ name }) => name === column.name);
      throw drift(relation, `has ${isGenerated ? 'a generated' : 'no'} column '${column.name}' on this node`);
    }
    checkType(relation, column, found, types);
    stored.delete(column.name);
    return found;
  });
  const [unknown] = stored.keys();
  if (unknown !== undefined) {
    throw drift(relation, `has a column '${unknown}' on this node, which the source lacks`);
  }
  const keyPositions = facts.key.map(({ name }) => columns.findIndex((column) => column.name === name));
  for (const position of keyPositions) {
    const column = relation.columns[position];
    if (column?.isKey !== true) {
      throw drift(
        relation,
        `has '${column?.name ?? ''}' in its primary key on this node, but not in its replica identity on the source`,
      );
    }
  }
  return { facts, columns, keyPositions };
}

/** @throws SqlFailed when the table has no primary key here: most likely not yet */
async function findKeyed(client: Client, relation: Relation): Promise<TableFacts | null> {
  try {
    return await findTable(client, relation.schema, relation.table);
  } catch (thrown) {
    if (isRejoinError(thrown, 'PreflightRefused')) {
      throw new RejoinError(
        'SqlFailed',
        `changes can't be applied: table '${relation.schema}.${relation.table}' has no usable primary key on this node; build the shard's keys first`,
        { cause: thrown },
      );
    }
    throw thrown;
  }
}

function checkType(
  relation: Relation,
  source: RelationColumn,
  target: ColumnFacts,
  types: SegmentRelations['types'],
): void {
  const named = types.get(source.typeId);
  const same =
    source.typeId <= lastBuiltInType
      ? source.typeId === target.typeId
      : named === undefined || (named.schema === target.typeSchema && named.name === target.typeName);
  if (!same) {
    const what = named === undefined ? `type ${source.typeId}` : `type '${named.schema}.${named.name}'`;
    throw drift(
      relation,
      `has another type for column '${source.name}' on this node ('${target.typeSchema}.${target.typeName}') than on the source (${what})`,
    );
  }
}

function drift(relation: Relation, what: string): RejoinError {
  return new RejoinError(
    'SqlFailed',
    `changes can't be applied: table '${relation.schema}.${relation.table}' ${what}; the log does not carry changes of structure: make a new full backup of the shard, and restore from it`,
  );
}
