import type { Client } from 'pg';
import { judge, type Finding } from '../../../core/preflight/judge';
import type { Peculiarity } from '../../../core/ports/database-engine';
import { notOfExtension, rejoinTriggers } from './describe/catalog';
import { readBorderCrossings, readExtensions } from './describe/dependencies';

/** Each query returns findings of `$1::text[]`, the schemas. */
const relations = `
  SELECT c.oid, c.relkind, c.relpersistence, c.relispartition, c.relreplident, c.reltablespace, c.reltoastrelid, c.relrowsecurity, c.relforcerowsecurity,
         c.relowner, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension('pg_class', 'c.oid')}`;

const tableFindings = `
  WITH relation AS (${relations}),
  stored AS (SELECT r.*, i.indexrelid, i.indkey, i.indnkeyatts FROM relation r LEFT JOIN pg_index i ON i.indrelid = r.oid AND i.indisprimary
              WHERE r.relkind = 'r' AND r.relpersistence = 'p')
  SELECT 'no primary key' AS kind, name AS object, '' AS detail FROM stored WHERE indexrelid IS NULL
  UNION ALL SELECT CASE WHEN con.condeferrable THEN 'deferrable primary key' ELSE 'primary key without overlaps' END, s.name, ''
    FROM stored s JOIN pg_constraint con ON con.conindid = s.indexrelid AND con.contype = 'p'
   WHERE con.condeferrable OR coalesce((to_jsonb(con) ->> 'conperiod')::boolean, false)
  UNION ALL SELECT 'generated key column', s.name, a.attname
    FROM stored s JOIN pg_attribute a ON a.attrelid = s.oid AND a.attgenerated <> '' AND a.attnum = ANY ((s.indkey::int2[])[0:s.indnkeyatts - 1])
  UNION ALL SELECT 'replica identity', name, CASE relreplident WHEN 'n' THEN 'NOTHING' ELSE 'an index' END FROM stored
   WHERE relreplident = 'n' OR (relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = stored.indexrelid AND i.indisreplident))
  UNION ALL SELECT 'whole-row identity', name, '' FROM stored WHERE relreplident = 'f'
  UNION ALL SELECT 'foreign table', name, '' FROM relation WHERE relkind = 'f'
  UNION ALL SELECT 'inheritance', r.name, i.inhparent::regclass::text FROM relation r JOIN pg_inherits i ON i.inhrelid = r.oid
   WHERE r.relkind = 'r' AND NOT r.relispartition
  UNION ALL SELECT 'hidden rows', r.name, '' FROM relation r JOIN pg_roles me ON me.rolname = current_user
   WHERE r.relrowsecurity AND NOT me.rolsuper AND NOT me.rolbypassrls AND (r.relforcerowsecurity OR NOT pg_has_role(r.relowner, 'USAGE'))
  UNION ALL SELECT 'forced row security', s.name, '' FROM stored s JOIN pg_roles owner ON owner.oid = s.relowner
   WHERE s.relrowsecurity AND s.relforcerowsecurity AND NOT owner.rolsuper AND NOT owner.rolbypassrls
  UNION ALL SELECT 'unlogged table', name, '' FROM relation WHERE relkind = 'r' AND relpersistence = 'u'
  UNION ALL SELECT 'generated column', r.name || '.' || quote_ident(a.attname), quote_ident(a.attname) FROM relation r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attgenerated <> '' AND NOT a.attisdropped WHERE r.relkind IN ('r', 'p') AND NOT r.relispartition
  UNION ALL SELECT 'identity column', r.name || '.' || quote_ident(a.attname), quote_ident(a.attname) FROM relation r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attidentity <> '' AND NOT a.attisdropped WHERE r.relkind IN ('r', 'p') AND NOT r.relispartition
  UNION ALL SELECT 'partitions', name, (SELECT count(*) - 1 FROM pg_partition_tree(relation.oid))::text FROM relation WHERE relkind = 'p' AND NOT relispartition
  UNION ALL SELECT 'large values', s.name, '' FROM stored s JOIN pg_class t ON t.oid = s.reltoastrelid WHERE pg_relation_size(t.oid) > 0
  UNION ALL SELECT 'row security', name, '' FROM relation WHERE relrowsecurity
  UNION ALL SELECT 'tablespace', r.name, quote_ident(t.spcname) FROM relation r JOIN pg_tablespace t ON t.oid = r.reltablespace
  UNION ALL SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, name, '' FROM relation WHERE relkind IN ('v', 'm')`;

const constraintFindings = `
  WITH relation AS (${relations})
  SELECT CASE con.contype WHEN 'f' THEN 'foreign key' WHEN 'u' THEN 'unique constraint' WHEN 'x' THEN 'exclusion constraint' ELSE 'unproved check' END AS kind,
         r.name AS object, quote_ident(con.conname) AS detail
    FROM relation r JOIN pg_constraint con ON con.conrelid = r.oid
   WHERE (con.contype IN ('u', 'x', 'f') OR (con.contype IN ('c', 'n') AND NOT con.convalidated)) AND con.conparentid = 0
  UNION ALL SELECT 'invalid index', r.name, quote_ident(ic.relname) FROM relation r JOIN pg_index i ON i.indrelid = r.oid AND NOT i.indisvalid
    JOIN pg_class ic ON ic.oid = i.indexrelid WHERE r.relkind = 'r'
  UNION ALL SELECT CASE WHEN t.tgenabled IN ('A', 'R') THEN 'trigger that fires on followers' ELSE 'trigger' END, r.name, quote_ident(t.tgname)
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
   WHERE NOT t.tgisinternal AND (t.tgparentid = 0 OR t.tgenabled IN ('A', 'R')) AND t.tgname <> ALL ($2::text[])
  UNION ALL SELECT CASE WHEN w.ev_enabled IN ('A', 'R') THEN 'rule that fires on followers' ELSE 'rule' END, r.name, quote_ident(w.rulename)
    FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'`;

/** A sequence is told by its columns when its bare value is an integer column's default, identity, or owned by one. */
const sequenceFindings = `
  WITH relation AS (${relations}),
  filled AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attribute, true AS bare
      FROM pg_depend d
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    UNION ALL
    SELECT d.refobjid, f.adrelid, f.adnum, pg_get_expr(f.adbin, f.adrelid) ~ '^\\(?nextval\\(''([^'']|'''')+''::regclass\\)(\\)::(integer|smallint|bigint|numeric))?$'
      FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
     WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass),
  told AS (
    SELECT f.sequence, quote_ident(a.attname) AS attribute, f.relation::regclass::text AS relation,
           f.bare AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) AS is_told
      FROM filled f JOIN pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.attribute)
  SELECT CASE WHEN t.sequence IS NULL THEN 'sequence without a column' WHEN NOT t.is_told THEN 'sequence in an expression'
              WHEN r.relpersistence = 'u' THEN 'unlogged sequence' ELSE 'sequence' END AS kind,
         r.name AS object, coalesce(t.relation || '.' || t.attribute, '') AS detail
    FROM relation r
    LEFT JOIN LATERAL (SELECT * FROM told WHERE told.sequence = r.oid ORDER BY told.is_told DESC, told.relation, told.attribute LIMIT 1) t ON true
   WHERE r.relkind = 'S'`;

const typeFindings = `
  SELECT CASE t.typtype WHEN 'e' THEN 'enum type' WHEN 'd' THEN 'domain type' WHEN 'r' THEN 'range type' WHEN 'c' THEN 'composite type' END AS kind,
         format('%I.%I', n.nspname, t.typname) AS object, '' AS detail
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
   WHERE n.nspname = ANY ($1::text[]) AND (t.typtype IN ('e', 'd') OR c.relkind = 'c' OR
           (t.typtype = 'r' AND EXISTS (SELECT FROM pg_range r WHERE r.rngtypid = t.oid AND r.rngcanonical = 0))) AND ${notOfExtension('pg_type', 't.oid')}
  UNION ALL SELECT 'unsupported object', format('%I.%I', n.nspname, t.typname), CASE t.typtype WHEN 'r' THEN 'a range type with a canonical function' ELSE 'a base type' END
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension('pg_type', 't.oid')}
     AND (EXISTS (SELECT FROM pg_range r WHERE r.rngtypid = t.oid AND r.rngcanonical <> 0)
          OR (t.typtype IN ('b', 'p') AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)))`;

/** Kinds of objects that live in a schema and that descriptions leave out. */
const unsupportedCatalogs: readonly (readonly [string, string, string])[] = [
  ['pg_operator', 'oprnamespace', 'an operator'],
  ['pg_opclass', 'opcnamespace', 'an operator class'],
  ['pg_opfamily', 'opfnamespace', 'an operator family'],
  ['pg_ts_config', 'cfgnamespace', 'a text search configuration'],
  ['pg_ts_dict', 'dictnamespace', 'a text search dictionary'],
  ['pg_ts_parser', 'prsnamespace', 'a text search parser'],
  ['pg_ts_template', 'tmplnamespace', 'a text search template'],
  ['pg_conversion', 'connamespace', 'a conversion'],
];

const unsupportedFindings = unsupportedCatalogs
  .map(
    ([catalog, namespace, kind]) => `
  SELECT 'unsupported object' AS kind, (pg_identify_object('${catalog}'::regclass, o.oid, 0)).identity AS object, '${kind}' AS detail
    FROM ${catalog} o JOIN pg_namespace n ON n.oid = o.${namespace}
   WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension(catalog, 'o.oid')}`,
  )
  .join(' UNION ALL ');

/** Disabled event triggers don't fire. */
const databaseFindings = `
  SELECT 'large objects' AS kind, format('database %I', current_database()) AS object, count(*)::text AS detail FROM pg_largeobject_metadata HAVING count(*) > 0
  UNION ALL SELECT 'event trigger', quote_ident(evtname), '' FROM pg_event_trigger e WHERE evtenabled <> 'D' AND ${notOfExtension('pg_event_trigger', 'e.oid')}`;

/** What is special about a shard's objects, and whether each of it is handled; ordered by object and kind. */
export async function preflight(client: Client, schemas: readonly string[]): Promise<readonly Peculiarity[]> {
  const findings: Finding[] = [];
  for (const query of [tableFindings, sequenceFindings, typeFindings, unsupportedFindings]) {
    findings.push(...(await client.query<Finding>(query, [schemas])).rows);
  }
  findings.push(...(await client.query<Finding>(constraintFindings, [schemas, rejoinTriggers])).rows);
  findings.push(...(await client.query<Finding>(databaseFindings)).rows);
  for (const { inner, outer, direction } of await readBorderCrossings(client, schemas)) {
    findings.push({
      kind: direction === 'needs' ? 'needs something outside' : 'needed outside',
      object: inner,
      detail: outer,
    });
  }
  for (const { schema, name } of await readExtensions(client, schemas)) {
    findings.push({ kind: 'extension', object: name, detail: schema });
  }
  return findings.map(judge).sort(byObjectAndKind);
}

function byObjectAndKind(left: Peculiarity, right: Peculiarity): number {
  const [a, b] = [`${left.object}\0${left.kind}`, `${right.object}\0${right.kind}`];
  return a < b ? -1 : a > b ? 1 : 0;
}
