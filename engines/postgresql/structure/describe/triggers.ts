import type { Client } from 'pg';
import { notOfExtension, rejoinTriggers } from './catalog';
import { literal } from '../../identifier';

const enabledSql = (object: 'TRIGGER' | 'RULE', state: string, name: string): string =>
  `CASE ${state} WHEN 'D' THEN format('ALTER TABLE %s DISABLE ${object} %I', named.name, ${name})
     WHEN 'R' THEN format('ALTER TABLE %s ENABLE REPLICA ${object} %I', named.name, ${name})
     WHEN 'A' THEN format('ALTER TABLE %s ENABLE ALWAYS ${object} %I', named.name, ${name}) END`;

/** Triggers that partitions inherit are left out unless they are enabled differently. */
const triggersSql = `
  SELECT array_remove(ARRAY[
           CASE WHEN t.tgparentid = 0 THEN pg_get_triggerdef(t.oid) END,
           CASE WHEN t.tgparentid = 0 OR t.tgenabled <> parent.tgenabled THEN ${enabledSql('TRIGGER', 't.tgenabled', 't.tgname')} END], NULL) AS statements
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_trigger parent ON parent.oid = t.tgparentid
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) named
   WHERE n.nspname = ANY ($1::text[]) AND NOT t.tgisinternal AND t.tgname <> ALL ($2::text[]) AND ${notOfExtension('pg_class', 'c.oid')}
   ORDER BY t.tgparentid <> 0, n.nspname COLLATE "C", c.relname COLLATE "C", t.tgname COLLATE "C"`;

const rulesSql = `
  SELECT array_remove(ARRAY[rtrim(pg_get_ruledef(r.oid), ';'), ${enabledSql('RULE', 'r.ev_enabled', 'r.rulename')}], NULL) AS statements
    FROM pg_rewrite r
    JOIN pg_class c ON c.oid = r.ev_class
    JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) named
   WHERE n.nspname = ANY ($1::text[]) AND r.rulename <> '_RETURN' AND ${notOfExtension('pg_class', 'c.oid')}
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", r.rulename COLLATE "C"`;

/** Statements that create triggers and rules, with the state in which they are enabled. */
export async function readTriggers(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const triggers = await client.query<{ statements: string[] }>(triggersSql, [schemas, rejoinTriggers]);
  const rules = await client.query<{ statements: string[] }>(rulesSql, [schemas]);
  return [...rules.rows, ...triggers.rows].flatMap(({ statements }) => statements);
}

const rowSecuritySql = `
  SELECT array_remove(ARRAY[
           CASE WHEN c.relrowsecurity THEN format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', n.nspname, c.relname) END,
           CASE WHEN c.relforcerowsecurity THEN format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', n.nspname, c.relname) END], NULL) AS statements
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND ${notOfExtension('pg_class', 'c.oid')}
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

const policiesSql = `
  SELECT format('CREATE POLICY %I ON %I.%I AS %s FOR %s', p.polname, n.nspname, c.relname,
                CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END) AS head,
         coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
           || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') AS tail,
         CASE WHEN p.polroles = '{0}'::oid[] THEN NULL
              ELSE array(SELECT rolname::text FROM pg_roles WHERE oid = ANY (p.polroles) ORDER BY rolname COLLATE "C") END AS roles
    FROM pg_policy p
    JOIN pg_class c ON c.oid = p.polrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension('pg_class', 'c.oid')}
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", p.polname COLLATE "C"`;

/**
 * Row-level security. A policy is created for those of its roles that the server has; where it has none of them, nobody
 * could be bound by it.
 */
export async function readRowSecurity(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const tables = await client.query<{ statements: string[] }>(rowSecuritySql, [schemas]);
  const policies = await client.query<{ head: string; tail: string; roles: string[] | null }>(policiesSql, [schemas]);
  return [
    ...tables.rows.flatMap(({ statements }) => statements),
    ...policies.rows.map(({ head, tail, roles }) =>
      roles === null ? `${head} TO PUBLIC${tail}` : policyForRoles(head, tail, roles),
    ),
  ];
}

function policyForRoles(head: string, tail: string, roles: readonly string[]): string {
  const present = `SELECT pg_catalog.string_agg(pg_catalog.quote_ident(rolname), ', ' ORDER BY rolname) FROM pg_catalog.pg_roles WHERE rolname IN (${roles.map(literal).join(', ')})`;
  const create = `${literal(`${head} TO `)} || roles || ${literal(tail)}`;
  return `DO ${literal(`DECLARE roles text := (${present}); BEGIN IF roles IS NOT NULL THEN EXECUTE ${create}; END IF; END`)}`;
}

const statisticsSql = `
  SELECT pg_get_statisticsobjdef(s.oid) AS statement
    FROM pg_statistic_ext s
    JOIN pg_namespace n ON n.oid = s.stxnamespace
   WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension('pg_statistic_ext', 's.oid')}
   ORDER BY n.nspname COLLATE "C", s.stxname COLLATE "C"`;

/** Extended statistics. */
export async function readStatistics(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ statement: string }>(statisticsSql, [schemas]);
  return rows.map(({ statement }) => statement);
}
