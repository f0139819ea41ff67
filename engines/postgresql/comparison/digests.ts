import type { Client } from 'pg';
import type { RowRange } from '../../../core/cluster/manifest';
import type { KeyDigest, RowDigest } from '../../../core/ports/database-engine';
import { identifier } from '../identifier';
import { keyJoin, keyNames, keyValues, rangeCondition } from '../key-range';
import { scanningRange } from '../range-scan';
import { tableFacts } from '../table-facts';
import { rowMd5 } from './row-text';

/** Key and MD5 of each row of a range, in no order. */
export async function digests(client: Client, range: RowRange): Promise<readonly KeyDigest[]> {
  const table = await tableFacts(client, range.schema, range.table);
  const keys = table.key.map(({ name }) => `t.${identifier(name)}::text`).join(', ');
  const { rows } = await scanningRange(client, range, () =>
    client.query<string[]>({
      rowMode: 'array',
      text: `SELECT ${rowMd5(table)}, ${keys} FROM ONLY ${table.name} AS t WHERE ${rangeCondition(table, range, 't')}`,
    }),
  );
  return rows.map(([md5 = '', ...key]) => ({ key, md5 }));
}

/** MD5 and xmin of the rows of these keys, in their order, from one moment; null where there is no row. */
export async function rowDigests(
  client: Client,
  order: { readonly range: RowRange; readonly keys: readonly (readonly string[])[] },
): Promise<readonly (RowDigest | null)[]> {
  const { range, keys } = order;
  if (keys.length === 0) {
    return [];
  }
  const table = await tableFacts(client, range.schema, range.table);
  const { rows } = await client.query<{ md5: string | null; xmin: string | null }>(
    `SELECT found.md5, found.xmin
       FROM (VALUES ${keys.map((key, place) => `(${place}, ${keyValues(table, key)})`).join(', ')}) AS k (place, ${keyNames(table)})
       LEFT JOIN LATERAL (SELECT ${rowMd5(table)} AS md5, t.xmin::text AS xmin FROM ONLY ${table.name} AS t
                           WHERE ${keyJoin(table)}) AS found ON true
      ORDER BY k.place`,
  );
  return rows.map(({ md5, xmin }) => (md5 === null || xmin === null ? null : { md5, xmin }));
}
