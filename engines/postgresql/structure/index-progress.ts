import type { Client } from 'pg';
import type { SchemaDescription } from '../../../core/cluster/manifest';
import { buildTarget } from '../../../core/structure/build-statement';

export interface IndexProgress {
  readonly built: number;
  readonly total: number;
  /** `orders_note: building index: scanning table, 40 %`. */
  readonly running: readonly string[];
  /** `orders_note: 23505: could not create unique index …`. */
  readonly failed: readonly string[];
}

export interface BuildOrder {
  readonly shard: string;
  readonly schema: SchemaDescription;
  readonly part: 'keys' | 'indexes';
}

/** Which of these are there and usable. */
const presentSql = `
  SELECT w.statement
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS w(statement, kind, schema, "table", name)
    JOIN pg_namespace n ON n.nspname = w.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w."table"
   WHERE EXISTS (SELECT FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
                  WHERE w.kind = 'index' AND i.indrelid = c.oid AND ic.relname = w.name AND i.indisvalid)
      OR EXISTS (SELECT FROM pg_constraint con WHERE w.kind = 'constraint' AND con.conrelid = c.oid AND con.conname = w.name)`;

/** The keys and indexes that these statements build and that are there already. */
export async function presentStatements(client: Client, statements: readonly string[]): Promise<ReadonlySet<string>> {
  const targets = statements.flatMap((statement) => {
    const target = buildTarget(statement);
    return target === null ? [] : [{ statement, ...target }];
  });
  const { rows } = await client.query<{ statement: string }>(presentSql, [
    targets.map(({ statement }) => statement),
    targets.map(({ kind }) => kind),
    targets.map(({ schema }) => schema),
    targets.map(({ table }) => table),
    targets.map(({ name }) => name),
  ]);
  return new Set(rows.map(({ statement }) => statement));
}

const recordsSql = `
  SELECT b.statement, b.state, b.detail,
         p.phase || coalesce(', ' || (100 * coalesce(nullif(p.tuples_done, 0)::numeric / nullif(p.tuples_total, 0), p.blocks_done::numeric / nullif(p.blocks_total, 0)))::integer || ' %', '') AS progress
    FROM rejoin.index_build b
    LEFT JOIN pg_stat_progress_create_index p ON p.pid = b.builder
   WHERE b.shard = $1 AND b.statement = ANY ($2::text[]) AND b.state IN ('running', 'failed')
   ORDER BY b.number`;

/** How far the building of these statements has come. What is there counts, whoever built it. */
export async function readProgress(
  client: Client,
  shard: string,
  statements: readonly string[],
): Promise<IndexProgress> {
  const present = await presentStatements(client, statements);
  const { rows } = await client.query<{
    statement: string;
    state: 'running' | 'failed';
    detail: string | null;
    progress: string | null;
  }>(recordsSql, [shard, statements]);
  const open = rows.filter(({ statement }) => !present.has(statement));
  return {
    built: present.size,
    total: statements.length,
    running: open
      .filter(({ state }) => state === 'running')
      .map(({ statement, progress }) => `${nameOf(statement)}: ${progress ?? 'begun'}`),
    failed: open
      .filter(({ state }) => state === 'failed')
      .map(({ statement, detail }) => `${nameOf(statement)}: ${detail ?? 'no reason given'}`),
  };
}

function nameOf(statement: string): string {
  return buildTarget(statement)?.name ?? statement;
}
