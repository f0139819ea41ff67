import type { Client } from 'pg';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { createBookkeeping } from '../bookkeeping';
import { inTransaction } from '../connection';
import { readShards } from '../ownership/shards';

/** An index of a partition that belongs to one of its parent goes with that. Foreign keys to it go too. */
const uniquesSql = `
  SELECT DISTINCT coalesce(
           format('ALTER TABLE %I.%I DROP CONSTRAINT %I CASCADE', n.nspname, c.relname, con.conname),
           format('DROP INDEX %I.%I CASCADE', n.nspname, ic.relname)) AS statement
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid AND c.relkind IN ('r', 'p')
    JOIN pg_class ic ON ic.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.contype IN ('u', 'x')
   WHERE n.nspname = ANY ($1::text[]) AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
     AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   ORDER BY 1`;

/**
 * Drops what rows of different moments may break. What has been run of the shard's structure, and how far changes were
 * applied when the snapshot was taken, is forgotten with it: all of it is looked at again, and stays where it is there.
 */
export async function dropUniques(
  client: Client,
  address: DatabaseAddress,
  order: { readonly shard: string; readonly schemas: readonly string[] },
): Promise<void> {
  await createBookkeeping(client);
  const held = (await readShards(client)).find(({ shard }) => shard === order.shard);
  if (held?.writable === true) {
    throw new RejoinError(
      'DecisionRefused',
      `${order.shard} accepts writes on node '${address.nodeId}', so its unique constraints stay; close it first`,
    );
  }
  await inTransaction(client, async () => {
    const { rows } = await client.query<{ statement: string }>(uniquesSql, [order.schemas]);
    for (const { statement } of rows) {
      await client.query(statement);
    }
    for (const table of ['index_build', 'applied']) {
      await client.query(`DELETE FROM rejoin.${table} WHERE shard = $1`, [order.shard]);
    }
  });
}
