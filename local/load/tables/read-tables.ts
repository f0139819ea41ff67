import type { Client } from 'pg';
import { identifier, literal } from '../../../engines/postgresql/identifier';
import { keyTexts, rowState, tableName, type KeyTexts } from './row-sql';
import { planTable, type TablePlan, type TableShape } from './table-plan';

/** One row as it was when the load began. */
export interface SampledRow {
  readonly key: KeyTexts;
  readonly state: string;
}

export interface LoadedTable {
  readonly plan: TablePlan;
  readonly rows: readonly SampledRow[];
  /** The largest value of each column that a new row fills with a number. */
  readonly largest: ReadonlyMap<string, bigint>;
}

/** Permanent tables with a primary key that no extension made, the leaves of partitioned ones among them. */
const shapesSql = `
  WITH RECURSIVE types AS (
    SELECT a.attrelid, a.attnum, a.atttypid AS typid FROM pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT types.attrelid, types.attnum, t.typbasetype FROM types JOIN pg_type t ON t.oid = types.typid WHERE t.typtype = 'd')
  SELECT n.nspname AS schema, c.relname AS table, pg_relation_size(c.oid)::float8 AS bytes,
    (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'baseType', base.typname,
            'generated', a.attgenerated <> '',
            'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
            'fromSequence', coalesce(pg_get_expr(f.adbin, f.adrelid) ~ '^\\(?nextval\\(', false)) ORDER BY a.attnum)
       FROM pg_attribute a JOIN types ON types.attrelid = a.attrelid AND types.attnum = a.attnum
       JOIN pg_type base ON base.oid = types.typid AND base.typtype <> 'd'
       LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts) AS key,
    (SELECT json_agg(CASE WHEN 0 = ANY (u.indkey::int2[]) THEN NULL ELSE
            (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(u.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE k.place <= u.indnkeyatts) END
            ORDER BY NOT u.indisprimary, u.indexrelid)
       FROM pg_index u WHERE u.indrelid = c.oid AND (u.indisunique OR u.indisexclusion)) AS uniques,
    (SELECT coalesce(json_agg(DISTINCT a.attname), '[]') FROM pg_constraint f
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (f.conkey) WHERE f.conrelid = c.oid AND f.contype = 'f') AS "references"
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  WHERE n.nspname = ANY ($1::text[]) AND c.relkind = 'r' AND c.relpersistence = 'p'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1, 2`;

/** Beyond this many tables the rest is only read by the workflow, not written by the load. */
const maxTables = 400;
const rowsPerTable = 400;
/** A sample of a larger table reads some of its pages, a smaller one is read whole. */
const wholeBytes = 16_777_216;
/** Larger rows are left alone: a load holds the rows that it deletes. */
const maxRowBytes = 262_144;

/** What the catalogs tell of a shard's tables, and rows of each that a load may write; the same for the same seed. */
export async function readTables(
  client: Client,
  schemas: readonly string[],
  seed: number,
): Promise<readonly LoadedTable[]> {
  const { rows } = await client.query<TableShape & { readonly bytes: number }>(shapesSql, [schemas]);
  const tables: LoadedTable[] = [];
  for (const { bytes, ...shape } of rows.slice(0, maxTables)) {
    const plan = planTable(shape);
    tables.push({
      plan,
      rows: await sample(client, shape, bytes, seed),
      largest: await largestOf(client, plan),
    });
  }
  return tables;
}

async function sample(client: Client, shape: TableShape, bytes: number, seed: number): Promise<readonly SampledRow[]> {
  const share = bytes > wholeBytes ? `TABLESAMPLE SYSTEM (${(100 * wholeBytes) / bytes}) REPEATABLE (${seed})` : '';
  const { rows } = await client.query<SampledRow>(
    `SELECT key, state FROM (
       SELECT ${keyTexts(shape)} AS key, ${rowState} AS state, octet_length((t.*)::text) AS bytes FROM ONLY ${tableName(shape)} AS t ${share}
     ) AS sampled WHERE bytes <= ${maxRowBytes} ORDER BY md5(key::text || ${literal(String(seed))}) LIMIT ${rowsPerTable}`,
  );
  return rows;
}

async function largestOf(client: Client, plan: TablePlan): Promise<ReadonlyMap<string, bigint>> {
  const columns = [...(plan.fillers ?? [])].flatMap(([name, filler]) => (filler === 'integer' ? [name] : []));
  const largest = new Map<string, bigint>();
  for (const column of columns) {
    const { rows } = await client.query<{ largest: string }>(
      `SELECT coalesce(trunc(max(t.${identifier(column)})), 0)::text AS largest FROM ONLY ${tableName(plan.shape)} AS t`,
    );
    largest.set(column, BigInt(/^-?\d+$/.exec(rows[0]?.largest ?? '')?.[0] ?? '0'));
  }
  return largest;
}
