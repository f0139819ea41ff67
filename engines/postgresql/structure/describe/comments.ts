import type { Client } from 'pg';
import { literal } from '../../identifier';
import { rejoinTriggers } from './catalog';

/** What COMMENT ON calls what the server's object addresses call otherwise. */
const keywords: Readonly<Record<string, string>> = {
  'composite type': 'TYPE',
  'statistics object': 'STATISTICS',
  function: 'ROUTINE',
  procedure: 'ROUTINE',
  aggregate: 'ROUTINE',
  'table constraint': 'CONSTRAINT',
};

/** A domain's constraint is written with the word DOMAIN, so it is put together here. */
const commentsSql = `
  SELECT i.type, coalesce(dc.identity, i.identity) AS identity, d.description
    FROM pg_description d
    CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
    LEFT JOIN LATERAL (
      SELECT format('%I ON DOMAIN %I.%I', con.conname, n.nspname, t.typname) AS identity, n.nspname
        FROM pg_constraint con JOIN pg_type t ON t.oid = con.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
       WHERE d.classoid = 'pg_constraint'::regclass AND con.oid = d.objoid) dc ON true
    LEFT JOIN pg_class c ON c.oid = CASE d.classoid
        WHEN 'pg_class'::regclass THEN d.objoid
        WHEN 'pg_constraint'::regclass THEN (SELECT con.conrelid FROM pg_constraint con WHERE con.oid = d.objoid)
        WHEN 'pg_trigger'::regclass THEN (SELECT t.tgrelid FROM pg_trigger t WHERE t.oid = d.objoid AND t.tgname <> ALL ($2::text[]))
        WHEN 'pg_rewrite'::regclass THEN (SELECT w.ev_class FROM pg_rewrite w WHERE w.oid = d.objoid)
        WHEN 'pg_policy'::regclass THEN (SELECT p.polrelid FROM pg_policy p WHERE p.oid = d.objoid) END
    LEFT JOIN pg_namespace n ON n.oid = CASE d.classoid
        WHEN 'pg_namespace'::regclass THEN d.objoid
        WHEN 'pg_type'::regclass THEN (SELECT t.typnamespace FROM pg_type t WHERE t.oid = d.objoid)
        WHEN 'pg_proc'::regclass THEN (SELECT p.pronamespace FROM pg_proc p WHERE p.oid = d.objoid)
        WHEN 'pg_collation'::regclass THEN (SELECT k.collnamespace FROM pg_collation k WHERE k.oid = d.objoid)
        WHEN 'pg_statistic_ext'::regclass THEN (SELECT s.stxnamespace FROM pg_statistic_ext s WHERE s.oid = d.objoid)
        ELSE c.relnamespace END
   WHERE coalesce(dc.nspname, n.nspname) = ANY ($1::text[])
     AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = d.classoid AND x.objid = d.objoid AND x.deptype = 'e')
     AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')
   ORDER BY i.type COLLATE "C", coalesce(dc.identity, i.identity) COLLATE "C"`;

/** Statements that comment on a shard's objects. */
export async function readComments(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ type: string; identity: string; description: string }>(commentsSql, [
    schemas,
    rejoinTriggers,
  ]);
  return rows.map(
    ({ type, identity, description }) =>
      `COMMENT ON ${keyword(type)} ${keyword(type) === 'ROUTINE' ? identity.replace(/\(\*\)$/, '()') : identity} IS ${literal(description)}`,
  );
}

function keyword(type: string): string {
  if (type === 'domain constraint') {
    return 'CONSTRAINT';
  }
  return keywords[type] ?? (type.endsWith(' column') ? 'COLUMN' : type.toUpperCase());
}
