import { identifier } from '../identifier';
import { columnList } from '../table-facts';
import type { TargetTable } from './target-table';

/*
 * Statements that bring staged rows (see Staging) into their table. ONLY: a table that others inherit from is applied by
 * itself, as it is published.
 */

/** Whether a staged row `s` and a row `t` of the table have the same key. */
function sameKey({ facts, keyPositions }: TargetTable, stage = 's'): string {
  return facts.key
    .map((column, place) => `t.${identifier(column.name)} ${column.equal} ${stage}.c${keyPositions[place] ?? ''}`)
    .join(' AND ');
}

/** Deletes the rows whose keys are staged. */
export function deleteSql(target: TargetTable, stage: string, condition = 'true'): string {
  return `DELETE FROM ONLY ${target.facts.name} AS t USING ${stage} AS s WHERE ${condition} AND ${sameKey(target)}`;
}

/** Inserts the staged rows; with `replace`, rows of the same key are overwritten. */
export function insertSql(
  target: TargetTable,
  stage: string,
  how: { readonly replace: boolean; readonly condition?: string | undefined },
): string {
  const { facts, columns, keyPositions } = target;
  // Values of identity columns are the source's. Neighbours in the index are written together.
  const insert = `
    INSERT INTO ${facts.name} (${columnList(columns)}) OVERRIDING SYSTEM VALUE
    SELECT ${columns.map((_, place) => `s.c${place}`).join(', ')} FROM ${stage} AS s WHERE ${how.condition ?? 'true'}
     ORDER BY ${keyPositions.map((place) => `s.c${place}`).join(', ')}`;
  if (!how.replace) {
    return insert;
  }
  const assignments = otherPlaces(target).map((place) => {
    const name = identifier(columns[place]?.name ?? '');
    return `${name} = EXCLUDED.${name}`;
  });
  const action = assignments.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${assignments.join(', ')}`;
  return `${insert} ON CONFLICT (${columnList(facts.key)}) ${action}`;
}

/** Updates rows from partial ones of the same key; what is missing there stays as it is. */
export function updateSql(target: TargetTable, partial: string): string {
  const assignments = otherPlaces(target).map((place) => {
    const name = identifier(target.columns[place]?.name ?? '');
    return `${name} = ${staged(target, place, `t.${name}`)}`;
  });
  return `UPDATE ONLY ${target.facts.name} AS t SET ${assignments.join(', ')} FROM ${partial} AS s WHERE ${sameKey(target)}`;
}

/** Completes partial rows from the first of their bases that the table has. Then their `missing` is null. */
export function completeSql(target: TargetTable, partial: string, bases: string): string {
  const { facts, columns } = target;
  const assignments = columns.map((_, place) => `c${place} = ${staged(target, place, `b.c${place}`)}`);
  return `
    UPDATE ${partial} AS s SET missing = NULL, ${assignments.join(', ')}
      FROM (SELECT DISTINCT ON (k.number) k.number, ${columns.map(({ name }, place) => `t.${identifier(name)} AS c${place}`).join(', ')}
              FROM ${bases} AS k JOIN ONLY ${facts.name} AS t ON ${sameKey(target, 'k')}
             ORDER BY k.number, k.rank) AS b
     WHERE b.number = s.number`;
}

/** Only these partial rows were completed. */
export const isComplete = 's.missing IS NULL';

/** The staged value of a column, or `other` where it is missing. */
function staged(target: TargetTable, place: number, other: string): string {
  const column = target.columns[place];
  const value = `s.c${place}`;
  // Only values that may lie beside their row are ever left out.
  return column?.toastable === true
    ? `CASE WHEN substr(s.missing, ${place + 1}, 1) = '1' THEN ${other} ELSE ${value} END`
    : value;
}

/** Places of the columns that are not in the key. */
function otherPlaces({ columns, keyPositions }: TargetTable): number[] {
  return columns.map((_, place) => place).filter((place) => !keyPositions.includes(place));
}
