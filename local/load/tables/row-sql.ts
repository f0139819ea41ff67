import { identifier, literal, qualified } from '../../../engines/postgresql/identifier';
import type { Change, TablePlan, TableShape } from './table-plan';

/** The values of a row's key as text, in the key's order. */
export type KeyTexts = readonly string[];

/** Fixed settings, so that a row's text is the same in every session. */
export const rowTextSettings =
  '-c TimeZone=UTC -c DateStyle=ISO,YMD -c IntervalStyle=postgres -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C';

/** What stands for a whole row's content. `t` alone would be a column of that name, if there is one. */
export const rowState = 'md5((t.*)::text)';

/** `"s"."t"`. */
export function tableName(shape: TableShape): string {
  return qualified(shape.schema, shape.table);
}

/** The texts of a row's key as an array, of the row that `t` is. */
export function keyTexts(shape: TableShape): string {
  return `ARRAY[${shape.key.map((name) => `t.${identifier(name)}::text`).join(', ')}]`;
}

/** Finds one row, which stands as `alias`. */
function whereKey(shape: TableShape, key: KeyTexts, alias = 't'): string {
  const types = new Map(shape.columns.map((column) => [column.name, column.type]));
  return shape.key
    .map((name, place) => `${alias}.${identifier(name)} = ${literal(key[place] ?? '')}::${types.get(name) ?? 'text'}`)
    .join(' AND ');
}

/** The state of one row; no row where there is none. */
export function readState(shape: TableShape, key: KeyTexts): string {
  return `SELECT ${rowState} AS state FROM ONLY ${tableName(shape)} AS t WHERE ${whereKey(shape, key)}`;
}

/** Changes one column of one row; `up` and down undo each other. */
export function updateRow(
  shape: TableShape,
  key: KeyTexts,
  update: { readonly column: string; readonly change: Change; readonly up: boolean },
): string {
  const column = identifier(update.column);
  return `UPDATE ONLY ${tableName(shape)} AS t SET ${column} = ${changed(`t.${column}`, update.change, update.up)}
    WHERE ${whereKey(shape, key)} RETURNING ${keyTexts(shape)} AS key`;
}

function changed(column: string, change: Change, up: boolean): string {
  const sign = up ? '+' : '-';
  switch (change) {
    case 'number':
      return `${column} ${sign} 1`;
    case 'text':
      return `CASE WHEN right(${column}, 1) = '~' THEN left(${column}, -1) ELSE ${column} || '~' END`;
    case 'boolean':
      return `NOT ${column}`;
    case 'second':
      return `${column} ${sign} interval '1 second'`;
    case 'day':
      return `${column} ${sign} 1`;
    case 'self':
      return column;
  }
}

/** Deletes one row and gives it back whole, as `body`. */
export function deleteRow(shape: TableShape, key: KeyTexts): string {
  return `DELETE FROM ONLY ${tableName(shape)} AS t WHERE ${whereKey(shape, key)}
    RETURNING ${keyTexts(shape)} AS key, (t.*)::text AS body`;
}

/** Puts a deleted row back as it was. */
export function restoreRow(shape: TableShape, body: string): string {
  const columns = shape.columns.filter((column) => !column.generated).map(({ name }) => identifier(name));
  const name = tableName(shape);
  return `INSERT INTO ${name} AS t (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
    SELECT ${columns.map((column) => `r.${column}`).join(', ')} FROM (SELECT (${literal(body)}::${name}).*) AS r
    RETURNING ${keyTexts(shape)} AS key`;
}

/** Copies a row to a new one: unique columns get new values, all others the same. */
export function copyRow(
  plan: TablePlan,
  key: KeyTexts,
  fresh: { readonly number: (column: string) => bigint; readonly text: string },
): string {
  const { shape } = plan;
  const columns = shape.columns.filter(({ name, generated }) => !generated && plan.fillers?.get(name) !== 'default');
  const values = columns.map(({ name }) => {
    const filler = plan.fillers?.get(name);
    if (filler === 'integer') {
      return fresh.number(name).toString();
    }
    return filler === 'uuid' ? 'gen_random_uuid()' : filler === 'text' ? literal(fresh.text) : `s.${identifier(name)}`;
  });
  const names = columns.map(({ name }) => identifier(name)).join(', ');
  return `INSERT INTO ${tableName(shape)} AS t (${names}) OVERRIDING SYSTEM VALUE
    SELECT ${values.join(', ')} FROM ONLY ${tableName(shape)} AS s WHERE ${whereKey(shape, key, 's')}
    RETURNING ${keyTexts(shape)} AS key`;
}
