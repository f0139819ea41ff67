import type { Client } from 'pg';
import { notOfExtension, type CatalogObject } from './catalog';

/** Options as `WITH (name = 'value')`. */
export const optionsSql = (options: string): string =>
  `coalesce((SELECT ' WITH (' || string_agg(format('%s=%L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ' ORDER BY place) || ')'
     FROM unnest(${options}) WITH ORDINALITY AS u(o, place)), '')`;

const viewsSql = `
  SELECT 'pg_class:' || c.oid AS id, 'view' AS kind, named.name,
         ARRAY[CASE c.relkind
           WHEN 'v' THEN format('CREATE VIEW %s%s AS %s', named.name, ${optionsSql('c.reloptions')}, named.definition)
           ELSE format('CREATE MATERIALIZED VIEW %s USING %I%s AS %s WITH NO DATA', named.name, am.amname, ${optionsSql('c.reloptions')}, named.definition) END] AS statements
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_am am ON am.oid = c.relam
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name, rtrim(btrim(pg_get_viewdef(c.oid)), ';') AS definition) named
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('v', 'm') AND ${notOfExtension('pg_class', 'c.oid')}`;

/** Views, and materialized views without their rows. */
export async function readViews(client: Client, schemas: readonly string[]): Promise<readonly CatalogObject[]> {
  const { rows } = await client.query<CatalogObject>(viewsSql, [schemas]);
  return rows;
}

const populatedSql = `
  SELECT 'pg_class:' || c.oid AS id, format('REFRESH MATERIALIZED VIEW %I.%I', n.nspname, c.relname) AS statement
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind = 'm' AND c.relispopulated AND ${notOfExtension('pg_class', 'c.oid')}`;

/** Statements that fill the materialized views that are filled here, by the view's id. */
export async function readRefreshes(client: Client, schemas: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ id: string; statement: string }>(populatedSql, [schemas]);
  return new Map(rows.map(({ id, statement }) => [id, statement]));
}
