import type { Client } from 'pg';
import type { SchemaDescription } from '../../../core/cluster/manifest';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { createBookkeeping } from '../bookkeeping';
import { installShard } from '../ownership/install-shard';
import { readShards } from '../ownership/shards';
import { shardTables } from '../shard-tables';
import { runOnce } from './statement-records';

/**
 * Creates a shard's tables without keys, and its checks, closed for writes. All statements are one transaction, so a
 * killed run leaves nothing; a repeated one changes nothing.
 *
 * @throws PreflightRefused when a table is there already with other columns
 */
export async function createTables(
  client: Client,
  address: DatabaseAddress,
  order: { readonly shard: string; readonly epoch: number; readonly schema: SchemaDescription },
): Promise<void> {
  await createBookkeeping(client);
  await runOnce(client, order.shard, order.schema.beforeRows);
  const schemas = [...new Set(order.schema.tables.map(({ schema }) => schema))];
  await assertColumns(client, address, order.schema);
  const held = (await readShards(client)).find(({ shard }) => shard === order.shard);
  if (held === undefined || held.epoch < order.epoch) {
    await installShard(client, address, { shard: order.shard, schemas, epoch: order.epoch, writable: false });
  }
}

async function assertColumns(client: Client, address: DatabaseAddress, schema: SchemaDescription): Promise<void> {
  const schemas = [...new Set(schema.tables.map((table) => table.schema))];
  const there = new Map(
    (await shardTables(client, schemas)).map((table) => [JSON.stringify([table.schema, table.table]), table.columns]),
  );
  for (const table of schema.tables) {
    const columns = there.get(JSON.stringify([table.schema, table.table]));
    if (columns === undefined || JSON.stringify(columns) !== JSON.stringify(table.columns)) {
      throw new RejoinError(
        'PreflightRefused',
        `table ${table.schema}.${table.table} on node '${address.nodeId}' has the columns ${columns?.join(', ') ?? '(none)'} instead of ${table.columns.join(', ')}; drop the shard there and start again`,
      );
    }
  }
}
