import type { Client } from 'pg';
import type { RowRange } from '../../../core/cluster/manifest';
import type { KeyDigest } from '../../../core/ports/database-engine';
import { identifier } from '../identifier';
import { keyCondition, rangeCondition } from '../key-range';
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

/** MD5 and xmin of the row of that key, or null when there is none. */
export async function rowDigest(
  client: Client,
  order: { readonly range: RowRange; readonly key: readonly string[] },
): Promise<{ readonly md5: string; readonly xmin: string } | null> {
  const table = await tableFacts(client, order.range.schema, order.range.table);
  const { rows } = await client.query<{ md5: string; xmin: string }>(
    `SELECT ${rowMd5(table)} AS md5, t.xmin::text AS xmin FROM ONLY ${table.name} AS t
      WHERE ${keyCondition(table, order.key, 't')}`,
  );
  return rows[0] ?? null;
}
