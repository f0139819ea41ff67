import type { Client } from 'pg';
import { publicationName } from '../../../core/cluster/names';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { hasBookkeeping } from '../bookkeeping';
import { inTransaction } from '../connection';
import { identifier } from '../identifier';
import { readShards } from '../ownership/shards';

/**
 * Drops a shard's schemas, its publication and all that Rejoin knows of it here. Builders of its indexes are ended first.
 *
 * @throws DecisionRefused when the shard accepts writes here
 */
export async function dropShard(
  client: Client,
  address: DatabaseAddress,
  order: { readonly shard: string; readonly schemas: readonly string[] },
): Promise<void> {
  const held = (await readShards(client)).find(({ shard }) => shard === order.shard);
  if (held?.writable === true) {
    throw new RejoinError(
      'DecisionRefused',
      `${order.shard} accepts writes on node '${address.nodeId}', so it is not dropped; close it first`,
    );
  }
  const known = await hasBookkeeping(client);
  if (known) {
    await client.query(
      `SELECT pg_terminate_backend(builder) FROM rejoin.index_build WHERE shard = $1 AND state = 'running'`,
      [order.shard],
    );
  }
  await inTransaction(client, async () => {
    await client.query(`DROP PUBLICATION IF EXISTS ${identifier(publicationName(order.shard))}`);
    for (const schema of order.schemas) {
      await client.query(`DROP SCHEMA IF EXISTS ${identifier(schema)} CASCADE`);
    }
    if (order.schemas.includes('public')) {
      // Every new database has it, and what creates the shard again expects it.
      await client.query('CREATE SCHEMA public');
    }
    if (known) {
      for (const table of ['shard', 'applied', 'loaded', 'marker', 'index_build']) {
        await client.query(`DELETE FROM rejoin.${table} WHERE shard = $1`, [order.shard]);
      }
    }
  });
}
