import type { Client } from 'pg';
import { notOfExtension, type CatalogObject } from './catalog';

const collation = (oid: string): string =>
  `(SELECT format('%I.%I', cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = ${oid})`;

const enumSql = `format('CREATE TYPE %s AS ENUM (%s)', named.name,
  (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))`;

const compositeSql = `format('CREATE TYPE %s AS (%s)', named.name,
  (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
            || CASE WHEN a.attcollation <> at.typcollation THEN ' COLLATE ' || ${collation('a.attcollation')} ELSE '' END,
          ', ' ORDER BY a.attnum)
     FROM pg_attribute a JOIN pg_type at ON at.oid = a.atttypid
    WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))`;

/** Constraints that rows may violate are added after the rows; see constraints.ts. */
const domainSql = `format('CREATE DOMAIN %s AS %s', named.name, format_type(t.typbasetype, t.typtypmod))
  || CASE WHEN t.typcollation <> base.typcollation THEN ' COLLATE ' || ${collation('t.typcollation')} ELSE '' END
  || coalesce(' DEFAULT ' || pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), '')
  || CASE WHEN t.typnotnull THEN
       coalesce((SELECT format(' CONSTRAINT %I', con.conname) FROM pg_constraint con WHERE con.contypid = t.oid AND con.contype = 'n'), '') || ' NOT NULL'
     ELSE '' END
  || coalesce((SELECT string_agg(format(' CONSTRAINT %I %s', con.conname, pg_get_constraintdef(con.oid)), '' ORDER BY con.conname COLLATE "C")
                 FROM pg_constraint con WHERE con.contypid = t.oid AND con.contype = 'c' AND con.convalidated), '')`;

const rangeSql = `(SELECT format('CREATE TYPE %s AS RANGE (SUBTYPE = %s, SUBTYPE_OPCLASS = %I.%I, MULTIRANGE_TYPE_NAME = %I.%I%s%s)',
    named.name, format_type(r.rngsubtype, NULL), opn.nspname, opc.opcname, mn.nspname, m.typname,
    CASE WHEN r.rngcollation <> 0 THEN ', COLLATION = ' || ${collation('r.rngcollation')} ELSE '' END,
    CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff::regproc::text ELSE '' END)
   FROM pg_range r
   JOIN pg_opclass opc ON opc.oid = r.rngsubopc
   JOIN pg_namespace opn ON opn.oid = opc.opcnamespace
   JOIN pg_type m ON m.oid = r.rngmultitypid
   JOIN pg_namespace mn ON mn.oid = m.typnamespace
  WHERE r.rngtypid = t.oid)`;

const typesSql = `
  SELECT 'pg_type:' || t.oid AS id, 'type' AS kind, named.name,
         ARRAY[CASE t.typtype WHEN 'e' THEN ${enumSql} WHEN 'c' THEN ${compositeSql} WHEN 'd' THEN ${domainSql} ELSE ${rangeSql} END] AS statements
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, t.typname) AS name) named
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    LEFT JOIN pg_type base ON base.oid = t.typbasetype
   WHERE n.nspname = ANY ($1::text[]) AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND ${notOfExtension('pg_type', 't.oid')}`;

/** Enums, domains, composite and range types. */
export async function readTypes(client: Client, schemas: readonly string[]): Promise<readonly CatalogObject[]> {
  const { rows } = await client.query<CatalogObject>(typesSql, [schemas]);
  return rows;
}

/** The catalog's columns differ between versions; as JSON, those that a version lacks are null. */
const collationsSql = `
  SELECT 'pg_collation:' || c.oid AS id, 'collation' AS kind, named.name,
         ARRAY[format('CREATE COLLATION %s (PROVIDER = %s, DETERMINISTIC = %s%s%s)', named.name,
           CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END, CASE WHEN c.collisdeterministic THEN 'true' ELSE 'false' END,
           CASE WHEN c.collprovider = 'c'
             THEN format(', LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype)
             ELSE format(', LOCALE = %L', coalesce(facts ->> 'colllocale', facts ->> 'colliculocale', facts ->> 'collcollate')) END,
           coalesce(', RULES = ' || quote_literal(facts ->> 'collicurules'), ''))] AS statements
    FROM pg_collation c
    JOIN pg_namespace n ON n.oid = c.collnamespace
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.collname) AS name, to_jsonb(c) AS facts) named
   WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension('pg_collation', 'c.oid')}`;

export async function readCollations(client: Client, schemas: readonly string[]): Promise<readonly CatalogObject[]> {
  const { rows } = await client.query<CatalogObject>(collationsSql, [schemas]);
  return rows;
}
