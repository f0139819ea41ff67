import type { Client } from 'pg';
import { RejoinError } from '../../core/errors';
import { identifier, qualified } from './identifier';

export interface ColumnFacts {
  readonly name: string;
  /** The server computes it: such a column is never read or written. */
  readonly generated: boolean;
  /** GENERATED ALWAYS AS IDENTITY: INSERT may override it, UPDATE may not. */
  readonly alwaysIdentity: boolean;
  readonly typeId: number;
  /** Schema and name of its type; for a domain of the type below it, as messages name it. */
  readonly typeSchema: string;
  readonly typeName: string;
  /** Its type in SQL, without a length: for a domain the type below it, which has no constraints. */
  readonly baseType: string;
  /** Its type in SQL, without a length. */
  readonly type: string;
  /** In SQL, such as `pg_catalog."de-DE-x-icu"`; null for types without. */
  readonly collation: string | null;
  /** Values may be stored beside the row, and then be left out of updates. */
  readonly toastable: boolean;
}

export interface KeyColumnFacts extends ColumnFacts {
  /** The operators of the key's index in SQL, such as `OPERATOR(pg_catalog.<)`: they alone agree with its order. */
  readonly less: string;
  readonly equal: string;
  readonly greaterOrEqual: string;
  /** By what it is sorted: collation and its version, such as `en_US.UTF-8 2.36`; '' for values without a collation. */
  readonly order: string;
}

/** What reading and writing a table's rows needs to know of it. */
export interface TableFacts {
  readonly schema: string;
  readonly table: string;
  /** In SQL. */
  readonly name: string;
  /** In the table's order. */
  readonly columns: readonly ColumnFacts[];
  /** In the primary key's order. */
  readonly key: readonly KeyColumnFacts[];
  /** Has unique or exclusion constraints beside the key: rows that swap values must be deleted before they are written. */
  readonly otherUnique: boolean;
  /** How changes name their row when it is updated or deleted. */
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  /** The columns of the index that is the replica identity; empty unless there is one. */
  readonly identityColumns: readonly string[];
}

const tableSql = `
  SELECT c.oid::int8::text AS "id",
         CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' ELSE 'index' END
           AS "replicaIdentity",
         EXISTS (SELECT FROM pg_index i
                  WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary)
           AS "otherUnique",
         ARRAY(SELECT a.attname::text
                 FROM pg_index i
                 CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                WHERE i.indrelid = c.oid AND i.indisreplident AND k.place <= i.indnkeyatts
                ORDER BY k.place) AS "identityColumns"
    FROM pg_class c
   WHERE c.oid = to_regclass($1)`;

const columnsSql = `
  WITH RECURSIVE types AS (
    SELECT a.attnum, a.atttypid AS typid FROM pg_attribute a
     WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT types.attnum, t.typbasetype FROM types JOIN pg_type t ON t.oid = types.typid WHERE t.typtype = 'd'
  )
  SELECT a.attnum AS "number", a.attname::text AS "name", a.attgenerated <> '' AS "generated",
         a.attidentity = 'a' AS "alwaysIdentity", a.atttypid::int8::float8 AS "typeId",
         n.nspname::text AS "typeSchema", base.typname::text AS "typeName",
         format_type(a.atttypid, -1) AS "type", format_type(base.oid, -1) AS "baseType",
         CASE WHEN a.attcollation <> 0 THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END AS "collation",
         a.attlen = -1 AND a.attstorage <> 'p' AS "toastable"
    FROM pg_attribute a
    JOIN types ON types.attnum = a.attnum
    JOIN pg_type base ON base.oid = types.typid AND base.typtype <> 'd'
    JOIN pg_namespace n ON n.oid = base.typnamespace
    LEFT JOIN pg_collation co ON co.oid = a.attcollation
    LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
   WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
   ORDER BY a.attnum`;

const keySql = `
  SELECT k.attnum AS "number", am.amname AS "method", i.indimmediate AS "immediate", operators.*,
         CASE k.sorting WHEN 0 THEN '' ELSE
           CASE co.collname WHEN 'default' THEN coalesce(to_jsonb(db)->>'datlocale', to_jsonb(db)->>'daticulocale', db.datcollate)
                            ELSE co.collname END || coalesce(' ' || pg_collation_actual_version(co.oid), '') END AS "order"
    FROM pg_index i
    JOIN pg_class ic ON ic.oid = i.indexrelid
    JOIN pg_am am ON am.oid = ic.relam
    CROSS JOIN unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[]) WITH ORDINALITY
               AS k(attnum, opclass, sorting, place)
    JOIN pg_opclass oc ON oc.oid = k.opclass
    JOIN pg_database db ON db.datname = current_database()
    LEFT JOIN pg_collation co ON co.oid = k.sorting
    LEFT JOIN LATERAL (
      SELECT max(name) FILTER (WHERE strategy = 1) AS "less", max(name) FILTER (WHERE strategy = 3) AS "equal",
             max(name) FILTER (WHERE strategy = 4) AS "greaterOrEqual"
        FROM (SELECT ao.amopstrategy AS strategy, format('OPERATOR(%I.%s)', n.nspname, o.oprname) AS name
                FROM pg_amop ao
                JOIN pg_operator o ON o.oid = ao.amopopr
                JOIN pg_namespace n ON n.oid = o.oprnamespace
               WHERE ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype
                 AND ao.amoprighttype = oc.opcintype) AS found) AS operators ON true
   WHERE i.indrelid = $1::oid AND i.indisprimary AND k.place <= i.indnkeyatts
   ORDER BY k.place`;

interface KeyRow {
  readonly number: number;
  readonly method: string;
  readonly immediate: boolean;
  readonly less: string;
  readonly equal: string;
  readonly greaterOrEqual: string;
  readonly order: string;
}

/**
 * Looks a table up, or null when there is none.
 *
 * @throws PreflightRefused when its rows can't be told apart by a primary key with an order
 */
export async function findTable(client: Client, schema: string, table: string): Promise<TableFacts | null> {
  const name = qualified(schema, table);
  const found = await client.query<
    Pick<TableFacts, 'replicaIdentity' | 'otherUnique' | 'identityColumns'> & { id: string }
  >(tableSql, [name]);
  const [facts] = found.rows;
  if (facts === undefined) {
    return null;
  }
  const { id, ...rest } = facts;
  const columns = await client.query<ColumnFacts & { number: number }>(columnsSql, [id]);
  const keys = await client.query<KeyRow>(keySql, [id]);
  const byNumber = new Map(columns.rows.map((column) => [column.number, column]));
  const key = keys.rows.map(({ number, method, immediate, ...operators }) => {
    const column = byNumber.get(number);
    if (column === undefined || method !== 'btree' || !immediate) {
      throw noKey(
        schema,
        table,
        'its primary key is deferrable or has no order (only plain primary keys tell rows apart)',
      );
    }
    if (column.generated) {
      throw noKey(
        schema,
        table,
        `column '${column.name}' of its primary key is generated, and the log leaves such values out`,
      );
    }
    return { ...column, ...operators };
  });
  if (key.length === 0) {
    throw noKey(schema, table, 'it has no primary key; add one, or keep the table out of the shard');
  }
  return { schema, table, name, columns: columns.rows, key, ...rest };
}

/** @throws SqlFailed when there is no such table; as findTable */
export async function tableFacts(client: Client, schema: string, table: string): Promise<TableFacts> {
  const facts = await findTable(client, schema, table);
  if (facts === null) {
    throw new RejoinError(
      'SqlFailed',
      `there is no table ${qualified(schema, table)} on this node; create the shard's tables first`,
    );
  }
  return facts;
}

/** The columns that have values of their own. */
export function storedColumns(table: TableFacts): readonly ColumnFacts[] {
  return table.columns.filter((column) => !column.generated);
}

/** `"a", "b"`. */
export function columnList(columns: readonly { readonly name: string }[]): string {
  return columns.map(({ name }) => identifier(name)).join(', ');
}

function noKey(schema: string, table: string, why: string): RejoinError {
  return new RejoinError('PreflightRefused', `the rows of table '${schema}.${table}' can't be restored: ${why}`);
}
