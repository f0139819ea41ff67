import type { Client } from 'pg';
import type { RowRange } from '../../../core/cluster/manifest';
import { createBookkeeping } from '../bookkeeping';
import { inTransaction } from '../connection';
import { copyIn } from '../copy';
import { identifier, qualified } from '../identifier';
import { guardSession } from './guard-session';

/**
 * Loads rows and notes the load in the same transaction. A second call of the same load that comes meanwhile waits for the
 * first, and loads only if that failed.
 */
export async function loadRows(
  client: Client,
  order: {
    readonly loadId: string;
    readonly shard: string;
    readonly range: RowRange;
    readonly columns: readonly string[];
    readonly body: Buffer;
  },
): Promise<number> {
  const { loadId, shard, range, columns, body } = order;
  await guardSession(client);
  await createBookkeeping(client);
  return inTransaction(client, async () => {
    const noted = await client.query(
      `INSERT INTO rejoin.loaded (load_id, shard, row_count) VALUES ($1, $2, 0) ON CONFLICT (load_id) DO NOTHING`,
      [loadId, shard],
    );
    if (noted.rowCount === 0) {
      return 0;
    }
    const table = qualified(range.schema, range.table);
    const rows = await copyIn(client, `COPY ${table} (${columns.map(identifier).join(', ')}) FROM STDIN`, body);
    await client.query(`UPDATE rejoin.loaded SET row_count = $2 WHERE load_id = $1`, [loadId, rows]);
    return rows;
  });
}
