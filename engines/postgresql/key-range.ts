import type { RowRange } from '../../core/cluster/manifest';
import { RejoinError } from '../../core/errors';
import { identifier, literal } from './identifier';
import type { KeyColumnFacts, TableFacts } from './table-facts';

/*
 * Bounds of a range are texts, cast to the key columns' types and compared by the operators of the primary key's index,
 * with the columns' own collations. So planning, reading and comparing agree on the order on one node, whatever the
 * types, and the index finds a range without reading the others. COLLATE "C" would sort alike on every server, but no
 * index of another collation could be used, and each chunk would read its whole table.
 *
 * Two nodes sort texts alike only where they have the same version of the same collation. Where they don't, ranges hold
 * different rows on them: checksums differ, and comparing by key, which needs no order, shows which rows are equal.
 */

/** A condition on the table's columns, under `alias`, that holds for the range's rows; `true` for all rows. */
export function rangeCondition(table: TableFacts, range: RowRange, alias: string): string {
  checkKey(table, range);
  const conditions = [
    ...(range.lowKey === null ? [] : [compare(table.key, range.lowKey, alias, 'greaterOrEqual')]),
    ...(range.highKey === null ? [] : [compare(table.key, range.highKey, alias, 'less')]),
  ];
  return conditions.length === 0 ? 'true' : conditions.join(' AND ');
}

/** A condition that holds for the row of that key. */
export function keyJoin(table: TableFacts): string {
  return table.key.map(({ name, equal }, place) => `t.${identifier(name)} ${equal} k.k${place}`).join(' AND ');
}

/** Names of a list `k` of keys. */
export function keyNames(table: TableFacts): string {
  return table.key.map((_, place) => `k${place}`).join(', ');
}

/** One key of such a list, as typed values. */
export function keyValues(table: TableFacts, key: readonly string[]): string {
  return table.key.map((column, place) => valueOf(column, key[place])).join(', ');
}

/** `'text'::type`, with the column's collation. */
export function valueOf(column: KeyColumnFacts, text: string | undefined): string {
  if (text === undefined) {
    throw new RejoinError(
      'InvalidInput',
      `a key lacks a value for column '${column.name}'; give one text a key column`,
    );
  }
  return `${literal(text)}::${column.type}`;
}

/**
 * Compares whole keys as the index does. One comparison of rows where one operator name serves all columns, which is
 * nearly always: a B-tree index then goes straight to the bound. Otherwise column by column, where the index is used for
 * the first one only.
 */
function compare(
  key: readonly KeyColumnFacts[],
  bound: readonly string[],
  alias: string,
  operator: 'less' | 'greaterOrEqual',
): string {
  const columns = key.map(({ name }) => `${alias}.${identifier(name)}`);
  const values = key.map((column, place) => valueOf(column, bound[place]));
  const [first] = key;
  if (first !== undefined && key.every((column) => column[operator] === first[operator])) {
    return `(${columns.join(', ')}) ${first[operator]} (${values.join(', ')})`;
  }
  return key.reduceRight((rest, column, place) => {
    const [left, right] = [columns[place] ?? '', values[place] ?? ''];
    if (rest === '') {
      return `${left} ${column[operator]} ${right}`;
    }
    const [small, large] = operator === 'less' ? [left, right] : [right, left];
    return `(${large} ${column.greaterOrEqual} ${small} AND (${small} ${column.less} ${large} OR (${left} ${column.equal} ${right} AND ${rest})))`;
  }, '');
}

function checkKey(table: TableFacts, range: RowRange): void {
  const names = table.key.map(({ name }) => name);
  if (names.length !== range.keyColumns.length || names.some((name, place) => name !== range.keyColumns[place])) {
    throw new RejoinError(
      'SqlFailed',
      `the primary key of table '${table.schema}.${table.table}' is (${names.join(', ')}), but the range is cut by (${range.keyColumns.join(', ')}): the table was changed after the ranges were planned; plan them again`,
    );
  }
  const orders = table.key.map(({ order }) => order);
  if (range.keyOrders?.some((order, place) => order !== orders[place]) === true) {
    throw new RejoinError(
      'SqlFailed',
      `the primary key of table '${table.schema}.${table.table}' is sorted by '${orders.join("', '")}' here and by '${range.keyOrders.join("', '")}' where its ranges were cut, so rows between two bounds are not the same rows; give both nodes the same collation version, or the key the collation "C"`,
    );
  }
}
