import type { Client } from 'pg';

/** A table whose rows are a shard's: an ordinary one or the leaf of a partitioned one. */
export interface ShardTable {
  readonly schema: string;
  readonly table: string;
  /** The primary key's columns in its order; empty where there is none, which preflight refuses. */
  readonly keyColumns: readonly string[];
  /** In the table's order, without generated columns. */
  readonly columns: readonly string[];
}

/**
 * Unlogged tables are left out: the log says nothing of their rows, and a crash empties them anyway. So are the tables
 * of extensions, which `CREATE EXTENSION` makes.
 */
const tablesSql = `
  SELECT n.nspname AS "schema", c.relname AS "table",
         array(SELECT a.attname::text
                 FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                WHERE k.place <= i.indnkeyatts
                ORDER BY k.place) AS "keyColumns",
         array(SELECT a.attname::text
                 FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                ORDER BY a.attnum) AS "columns"
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind = 'r' AND c.relpersistence = 'p'
     AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

/** The tables that hold a shard's rows, in the order of their names (bytes). */
export async function shardTables(client: Client, schemas: readonly string[]): Promise<readonly ShardTable[]> {
  const { rows } = await client.query<ShardTable>(tablesSql, [schemas]);
  return rows;
}
