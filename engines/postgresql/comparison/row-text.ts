import { identifier } from '../identifier';
import { storedColumns, type TableFacts } from '../table-facts';

/**
 * The MD5 of a row `t`'s text, in SQL: its columns by the bytes of their names, without generated ones (spec:
 * node-recovery, rule 12). The text of a row tells null from an empty text; the session's fixed settings make it the same on
 * every node.
 */
export function rowMd5(table: TableFacts): string {
  const names = storedColumns(table).map(({ name }) => name);
  names.sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  return `md5(ROW(${names.map((name) => `t.${identifier(name)}`).join(', ')})::text)`;
}
