import type { Client } from 'pg';
import { notOfExtension, type CatalogObject } from './catalog';
import { sequenceOptionsSql } from './sequences';
import { optionsSql } from './views';

/**
 * Columns that partitions get from their parent are declared again, and the partition is attached afterwards: the
 * order of its columns may differ. Identity is the exception: attaching refuses it and brings it along.
 */
const columnSql = `format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
  || CASE WHEN a.attcollation <> ty.typcollation
       THEN (SELECT format(' COLLATE %I.%I', cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation)
       ELSE '' END
  || CASE a.attgenerated
       WHEN 's' THEN format(' GENERATED ALWAYS AS (%s) STORED', pg_get_expr(def.adbin, def.adrelid))
       WHEN 'v' THEN format(' GENERATED ALWAYS AS (%s) VIRTUAL', pg_get_expr(def.adbin, def.adrelid))
       ELSE '' END
  || CASE WHEN a.attidentity <> '' AND NOT c.relispartition THEN
       (SELECT format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I %s)', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
                      sn.nspname, sc.relname, regexp_replace(${sequenceOptionsSql}, '^AS \\S+ ', ''))
          FROM pg_depend d
          JOIN pg_sequence s ON s.seqrelid = d.objid
          JOIN pg_class sc ON sc.oid = d.objid
          JOIN pg_namespace sn ON sn.oid = sc.relnamespace
         WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i')
     ELSE '' END
  || CASE WHEN a.attnotnull AND NOT coalesce(nn.unproved, false)
       THEN coalesce(' CONSTRAINT ' || quote_ident(nn.conname), '') || ' NOT NULL' || CASE WHEN nn.connoinherit THEN ' NO INHERIT' ELSE '' END
       ELSE '' END`;

const tablesSql = `
  SELECT 'pg_class:' || c.oid AS id, 'table' AS kind, named.name,
         array_remove(ARRAY[
           format('CREATE %sTABLE %s (%s)', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, named.name,
             coalesce((SELECT string_agg(${columnSql}, ', ' ORDER BY a.attnum)
                FROM pg_attribute a
                JOIN pg_type ty ON ty.oid = a.atttypid
                LEFT JOIN pg_attrdef def ON def.adrelid = c.oid AND def.adnum = a.attnum
                LEFT JOIN LATERAL (SELECT con.conname, con.connoinherit, NOT con.convalidated AS unproved FROM pg_constraint con
                                    WHERE con.conrelid = c.oid AND con.contype = 'n' AND con.conkey = ARRAY[a.attnum]) nn ON true
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''))
             || coalesce(' PARTITION BY ' || CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END, '')
             || CASE WHEN c.relkind = 'r' AND am.amname <> 'heap' THEN format(' USING %I', am.amname) ELSE '' END
             || ${optionsSql(`c.reloptions || array(SELECT 'toast.' || o FROM unnest(toast.reloptions) o)`)},
           CASE WHEN c.reloftype <> 0 THEN format('ALTER TABLE %s OF %s', named.name, format_type(c.reloftype, NULL)) END
         ] || array(SELECT format('ALTER TABLE ONLY %s %s', named.name, setting)
                      FROM pg_attribute a
                      JOIN pg_type ty ON ty.oid = a.atttypid
                      CROSS JOIN LATERAL (VALUES
                        (1, CASE WHEN a.attstorage <> ty.typstorage THEN format('ALTER COLUMN %I SET STORAGE %s', a.attname,
                              CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END) END),
                        (2, CASE a.attcompression WHEN 'p' THEN format('ALTER COLUMN %I SET COMPRESSION pglz', a.attname)
                                                  WHEN 'l' THEN format('ALTER COLUMN %I SET COMPRESSION lz4', a.attname) END),
                        (3, CASE WHEN a.attstattarget >= 0 THEN format('ALTER COLUMN %I SET STATISTICS %s', a.attname, a.attstattarget) END),
                        (4, CASE WHEN a.attoptions IS NOT NULL THEN format('ALTER COLUMN %I SET (%s)', a.attname, array_to_string(a.attoptions, ', ')) END)
                      ) AS v(place, setting)
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND setting IS NOT NULL
                     ORDER BY a.attnum, v.place), NULL) AS statements
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_am am ON am.oid = c.relam
    LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) named
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND ${notOfExtension('pg_class', 'c.oid')}`;

/** Tables without defaults, checks, keys and parents: those are added when all that they need is there. */
export async function readTables(client: Client, schemas: readonly string[]): Promise<readonly CatalogObject[]> {
  const { rows } = await client.query<CatalogObject>(tablesSql, [schemas]);
  return rows;
}

const defaultsSql = `
  SELECT 'pg_class:' || c.oid AS id,
         format('ALTER TABLE ONLY %I.%I ALTER COLUMN %I SET DEFAULT %s', n.nspname, c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)) AS statement
    FROM pg_attrdef d
    JOIN pg_class c ON c.oid = d.adrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
   WHERE n.nspname = ANY ($1::text[]) AND a.attgenerated = '' AND c.relkind IN ('r', 'p', 'v') AND ${notOfExtension('pg_class', 'c.oid')}
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", a.attnum`;

/** Statements that set column defaults, with the id of their table or view. */
export async function readDefaults(
  client: Client,
  schemas: readonly string[],
): Promise<readonly { readonly id: string; readonly statement: string }[]> {
  const { rows } = await client.query<{ id: string; statement: string }>(defaultsSql, [schemas]);
  return rows;
}

const attachmentsSql = `
  SELECT format('ALTER TABLE ONLY %I.%I ATTACH PARTITION %I.%I %s', pn.nspname, p.relname, n.nspname, c.relname,
                pg_get_expr(c.relpartbound, c.oid)) AS statement
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_inherits i ON i.inhrelid = c.oid
    JOIN pg_class p ON p.oid = i.inhparent
    JOIN pg_namespace pn ON pn.oid = p.relnamespace
   WHERE n.nspname = ANY ($1::text[]) AND c.relispartition AND c.relkind IN ('r', 'p') AND ${notOfExtension('pg_class', 'c.oid')}
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

/** Statements that make partitions of tables. */
export async function readAttachments(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ statement: string }>(attachmentsSql, [schemas]);
  return rows.map(({ statement }) => statement);
}
