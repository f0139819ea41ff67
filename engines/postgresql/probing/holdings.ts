import type { Client } from 'pg';
import type { DatabaseHoldings } from '../../../core/ports/database-engine';
import { shardTables } from '../shard-tables';

const usersOwn = `nspname NOT IN ('information_schema', 'rejoin') AND nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend d
                   WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')`;

/** Which of these schemas there are, or all of users, with their tables, and who feeds this database. */
export async function readHoldings(client: Client, schemas: readonly string[] | 'all'): Promise<DatabaseHoldings> {
  const found = await client.query<{ schema: string }>(
    `SELECT nspname AS schema FROM pg_namespace n
      WHERE ${schemas === 'all' ? usersOwn : 'nspname = ANY ($1::text[])'} ORDER BY nspname COLLATE "C"`,
    schemas === 'all' ? [] : [schemas],
  );
  const tables = await shardTables(
    client,
    found.rows.map(({ schema }) => schema),
  );
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
