import type { Client } from 'pg';
import type { RowRange } from '../../../core/cluster/manifest';
import { copyIn } from '../copy';
import { identifier, qualified } from '../identifier';

/**
 * Loads rows into a temporary table with the columns, checks and primary key of the range's own, and rolls that back.
 *
 * @returns how many rows there were
 */
export async function checkRows(
  client: Client,
  order: { readonly range: RowRange; readonly columns: readonly string[]; readonly body: Buffer },
): Promise<number> {
  const { range, columns, body } = order;
  const stage = 'pg_temp.rejoin_check';
  await client.query('BEGIN');
  try {
    await client.query(
      `CREATE TEMP TABLE ${stage} (LIKE ${qualified(range.schema, range.table)} INCLUDING CONSTRAINTS INCLUDING GENERATED,
         PRIMARY KEY (${range.keyColumns.map(identifier).join(', ')}))`,
    );
    return await copyIn(client, `COPY ${stage} (${columns.map(identifier).join(', ')}) FROM STDIN`, body);
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
  }
}
