import type { Client } from 'pg';
import type { DatabaseHoldings } from '../../../core/ports/database-engine';
import { shardTables } from '../shard-tables';

/** Which of these schemas there are, with their tables, and who feeds this database. */
export async function readHoldings(client: Client, schemas: readonly string[]): Promise<DatabaseHoldings> {
  const found = await client.query<{ schema: string }>(
    'SELECT nspname AS schema FROM pg_namespace WHERE nspname = ANY ($1::text[]) ORDER BY nspname COLLATE "C"',
    [schemas],
  );
  const tables = await shardTables(client, schemas);
  const subscriptions = await client.query<{ name: string }>(
    `SELECT s.subname AS name FROM pg_subscription s
       JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
      ORDER BY s.subname COLLATE "C"`,
  );
  return {
    schemas: found.rows.map(({ schema }) => ({
      schema,
      tables: tables.filter((table) => table.schema === schema).map(({ table }) => table),
    })),
    subscriptions: subscriptions.rows.map(({ name }) => name),
  };
}
