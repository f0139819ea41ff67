import type { Client } from 'pg';
import { notOfExtension, type CatalogObject } from './catalog';

/** Everything about a sequence but where it stands: that is set from the rows when the shard is opened. */
export const sequenceOptionsSql = `format('AS %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s',
  format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
  CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END)`;

/** Sequences of identity columns are created with their table. */
const sequencesSql = `
  SELECT 'pg_class:' || c.oid AS id, 'sequence' AS kind, named.name,
         ARRAY[format('CREATE %sSEQUENCE %s %s', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, named.name, ${sequenceOptionsSql})] AS statements
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) named
   WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension('pg_class', 'c.oid')}
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')`;

export async function readSequences(client: Client, schemas: readonly string[]): Promise<readonly CatalogObject[]> {
  const { rows } = await client.query<CatalogObject>(sequencesSql, [schemas]);
  return rows;
}

const ownershipSql = `
  SELECT format('ALTER SEQUENCE %I.%I OWNED BY %I.%I.%I', sn.nspname, sc.relname, tn.nspname, tc.relname, a.attname) AS statement
    FROM pg_depend d
    JOIN pg_sequence s ON s.seqrelid = d.objid
    JOIN pg_class sc ON sc.oid = d.objid
    JOIN pg_namespace sn ON sn.oid = sc.relnamespace
    JOIN pg_class tc ON tc.oid = d.refobjid
    JOIN pg_namespace tn ON tn.oid = tc.relnamespace
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
   WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a' AND sn.nspname = ANY ($1::text[])
     AND ${notOfExtension('pg_class', 'sc.oid')}
   ORDER BY 1`;

/** Statements that tie sequences to the columns that they fill. */
export async function readSequenceOwnership(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ statement: string }>(ownershipSql, [schemas]);
  return rows.map(({ statement }) => statement);
}
