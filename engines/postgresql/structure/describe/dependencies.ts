import type { Client } from 'pg';
import type { Dependency } from '../../../../core/structure/creation-order';
import { literal } from '../../identifier';
import { rejoinTriggers } from './catalog';

/**
 * Everything that belongs to a shard, down to defaults, constraints and rules, each with the object whose statements
 * create it and when that happens: with the object itself, before the rows, or later.
 */
const memberSql = `
  relation AS (
    SELECT c.oid, c.relkind, c.reltype FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY ($1::text[])),
  type AS (
    SELECT t.oid, t.typarray, t.typtype, t.typrelid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE n.nspname = ANY ($1::text[])),
  owner AS (
    SELECT 'pg_class'::regclass AS classid, oid AS objid, 'pg_class'::regclass AS owner_class, oid AS owner, 'creation' AS stage
      FROM relation WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT 'pg_class'::regclass, oid, 'pg_type'::regclass, reltype, 'creation' FROM relation WHERE relkind = 'c'
    UNION ALL SELECT 'pg_type'::regclass, t.oid, 'pg_type'::regclass, t.oid, 'creation' FROM type t LEFT JOIN relation r ON r.oid = t.typrelid
               WHERE t.typtype IN ('e', 'd', 'r', 'b') AND NOT EXISTS (SELECT FROM pg_type elem WHERE elem.typarray = t.oid) OR r.relkind = 'c'
    UNION ALL SELECT 'pg_type'::regclass, r.reltype, 'pg_class'::regclass, r.oid, 'creation' FROM relation r WHERE r.reltype <> 0 AND r.relkind <> 'c'
    UNION ALL SELECT 'pg_type'::regclass, m.oid, 'pg_type'::regclass, r.rngtypid, 'creation' FROM pg_range r JOIN type m ON m.oid = r.rngmultitypid
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, coalesce(d.refclassid, 'pg_proc'::regclass), coalesce(d.refobjid, p.oid), 'creation'
                FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i'
               WHERE n.nspname = ANY ($1::text[])
    UNION ALL SELECT 'pg_collation'::regclass, c.oid, 'pg_collation'::regclass, c.oid, 'creation'
                FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE n.nspname = ANY ($1::text[])),
  member AS (
    SELECT * FROM owner
    UNION ALL SELECT o.classid, t.typarray, o.owner_class, o.owner, o.stage FROM owner o JOIN pg_type t ON o.classid = 'pg_type'::regclass AND t.oid = o.objid WHERE t.typarray <> 0
    UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, 'pg_class'::regclass, i.indrelid, 'rows' FROM pg_index i JOIN relation r ON r.oid = i.indrelid
    UNION ALL SELECT 'pg_attrdef'::regclass, f.oid, 'pg_class'::regclass, f.adrelid, CASE a.attgenerated WHEN '' THEN 'rows' ELSE 'creation' END
                FROM pg_attrdef f JOIN relation r ON r.oid = f.adrelid JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
    UNION ALL SELECT 'pg_constraint'::regclass, con.oid, 'pg_class'::regclass, con.conrelid, CASE con.contype WHEN 'c' THEN 'rows' ELSE 'later' END
                FROM pg_constraint con JOIN relation r ON r.oid = con.conrelid
    UNION ALL SELECT 'pg_constraint'::regclass, con.oid, 'pg_type'::regclass, con.contypid, 'creation' FROM pg_constraint con JOIN type t ON t.oid = con.contypid
    UNION ALL SELECT 'pg_rewrite'::regclass, w.oid, 'pg_class'::regclass, w.ev_class, CASE w.rulename WHEN '_RETURN' THEN 'creation' ELSE 'later' END
                FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
    UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 'pg_class'::regclass, t.tgrelid, 'later' FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
               WHERE NOT t.tgisinternal AND t.tgname NOT IN (${rejoinTriggers.map(literal).join(', ')})
    UNION ALL SELECT 'pg_policy'::regclass, p.oid, 'pg_class'::regclass, p.polrelid, 'later' FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
    UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, 'pg_class'::regclass, s.stxrelid, 'later' FROM pg_statistic_ext s JOIN relation r ON r.oid = s.stxrelid)`;

/** A sequence is created before the table that owns it, whatever the catalog says. */
const dependenciesSql = `
  WITH ${memberSql}
  SELECT DISTINCT f.owner_class::regclass::text || ':' || f.owner AS "from", t.owner_class::regclass::text || ':' || t.owner AS "to",
         f.stage = 'creation' AS "atCreation"
    FROM pg_depend d
    JOIN member f ON f.classid = d.classid AND f.objid = d.objid
    JOIN member t ON t.classid = d.refclassid AND t.objid = d.refobjid
   WHERE f.stage <> 'later'
     AND NOT (d.deptype IN ('a', 'i') AND EXISTS (SELECT FROM pg_sequence s WHERE d.classid = 'pg_class'::regclass AND s.seqrelid = d.objid))`;

/** Which objects of a shard need which others, by their ids. */
export async function readDependencies(client: Client, schemas: readonly string[]): Promise<readonly Dependency[]> {
  const { rows } = await client.query<Dependency>(dependenciesSql, [schemas]);
  return rows;
}

const extensionsSql = `
  WITH ${memberSql},
  needed AS (
    SELECT e.refobjid AS oid
      FROM pg_depend d
      JOIN member f ON f.classid = d.classid AND f.objid = d.objid
      JOIN pg_depend e ON e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e' AND e.refclassid = 'pg_extension'::regclass)
  SELECT en.nspname AS schema, e.extname AS name
    FROM pg_extension e
    JOIN pg_namespace en ON en.oid = e.extnamespace
   WHERE e.extname <> 'plpgsql' AND (en.nspname = ANY ($1::text[]) OR e.oid IN (SELECT oid FROM needed))
   ORDER BY e.extname COLLATE "C"`;

/** Extensions that stand in a shard's schemas, or whose members something in them needs. */
export async function readExtensions(
  client: Client,
  schemas: readonly string[],
): Promise<readonly { readonly schema: string; readonly name: string }[]> {
  const { rows } = await client.query<{ schema: string; name: string }>(extensionsSql, [schemas]);
  return rows;
}

const firstUserObject = 16_384;

/** A schema of its own, the system's objects and extensions are no outside. */
const outsideSql = `
  WITH ${memberSql}
  SELECT DISTINCT pg_describe_object(f.owner_class, f.owner, 0) AS inner, pg_describe_object(d.refclassid, d.refobjid, 0) AS outer, 'needs' AS direction
    FROM pg_depend d
    JOIN member f ON f.classid = d.classid AND f.objid = d.objid
   WHERE d.refobjid >= ${firstUserObject} AND d.refclassid <> 'pg_extension'::regclass
     AND NOT EXISTS (SELECT FROM member t WHERE t.classid = d.refclassid AND t.objid = d.refobjid)
     AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')
     AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
     AND NOT (d.refclassid = 'pg_namespace'::regclass AND EXISTS (SELECT FROM pg_namespace n WHERE n.oid = d.refobjid AND n.nspname = ANY ($1::text[])))
     AND d.refclassid NOT IN ('pg_trigger'::regclass, 'pg_foreign_server'::regclass)
  UNION
  SELECT DISTINCT pg_describe_object(t.owner_class, t.owner, 0), pg_describe_object(d.classid, d.objid, 0), 'needed by'
    FROM pg_depend d
    JOIN member t ON t.classid = d.refclassid AND t.objid = d.refobjid
   WHERE d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_constraint'::regclass, 'pg_rewrite'::regclass,
                       'pg_attrdef'::regclass, 'pg_cast'::regclass)
     AND d.deptype <> 'i'
     AND NOT EXISTS (SELECT FROM member f WHERE f.classid = d.classid AND f.objid = d.objid)
     AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
     AND NOT EXISTS (SELECT FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('t', 'i', 'I'))
     AND NOT EXISTS (SELECT FROM pg_type ty WHERE d.classid = 'pg_type'::regclass AND ty.oid = d.objid AND ty.typtype IN ('b', 'm', 'c'))
   ORDER BY 1, 2, 3`;

/** What crosses a shard's border: `inner` needs `outer`, or is needed by it. In the server's words. */
export async function readBorderCrossings(
  client: Client,
  schemas: readonly string[],
): Promise<readonly { readonly inner: string; readonly outer: string; readonly direction: 'needs' | 'needed by' }[]> {
  const { rows } = await client.query<{ inner: string; outer: string; direction: 'needs' | 'needed by' }>(outsideSql, [
    schemas,
  ]);
  return rows;
}
