import type { Client } from 'pg';
import { notOfExtension } from './catalog';

export interface Constraints {
  /** Checks that every row passes. */
  readonly checks: readonly string[];
  /** Checks and NOT NULLs that are declared NOT VALID: rows that are there may not pass. */
  readonly unprovedChecks: readonly string[];
  /** Primary keys of tables that hold rows. */
  readonly primaryKeys: readonly string[];
  /** Unique and exclusion constraints of tables that hold rows. */
  readonly uniques: readonly string[];
  /** Keys of partitioned tables, without their partitions. */
  readonly parentKeys: readonly string[];
  /** Foreign keys, not validated yet where that can be done by itself. */
  readonly foreignKeys: readonly string[];
  readonly validations: readonly string[];
}

/**
 * `NOT VALID` first and `VALIDATE` afterwards: adding takes a moment then, and validating does not keep rows from being
 * applied. Foreign keys from or to partitioned tables are added whole: older servers can't do them in two steps.
 */
const constraintsSql = `
  SELECT CASE
           WHEN con.contype IN ('c', 'n') THEN CASE WHEN con.convalidated AND con.contype = 'c' THEN 'checks' ELSE 'unprovedChecks' END
           WHEN con.contype = 'f' THEN 'foreignKeys'
           WHEN c.relkind = 'p' THEN 'parentKeys'
           WHEN con.contype = 'p' THEN 'primaryKeys'
           ELSE 'uniques' END AS "group",
         format('ALTER TABLE %s%s ADD CONSTRAINT %I %s', CASE WHEN con.contype = 'f' THEN '' ELSE 'ONLY ' END, named.name, con.conname, pg_get_constraintdef(con.oid))
           || CASE WHEN con.contype = 'f' AND later.validated THEN ' NOT VALID' ELSE '' END AS statement,
         CASE WHEN later.validated THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I', named.name, con.conname) END AS validation
    FROM pg_constraint con
    JOIN pg_class c ON c.oid = con.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class target ON target.oid = con.confrelid
    CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) named
    CROSS JOIN LATERAL (SELECT con.contype = 'f' AND con.convalidated AND c.relkind = 'r' AND target.relkind = 'r' AS validated) later
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND ${notOfExtension('pg_class', 'c.oid')}
     AND (con.contype IN ('c', 'p', 'u', 'x') OR (con.contype = 'f' AND con.conparentid = 0) OR (con.contype = 'n' AND NOT con.convalidated))
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", con.conname COLLATE "C"`;

const domainChecksSql = `
  SELECT format('ALTER DOMAIN %I.%I ADD CONSTRAINT %I %s', n.nspname, t.typname, con.conname, pg_get_constraintdef(con.oid)) AS statement
    FROM pg_constraint con
    JOIN pg_type t ON t.oid = con.contypid
    JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE n.nspname = ANY ($1::text[]) AND con.contype = 'c' AND NOT con.convalidated AND ${notOfExtension('pg_type', 't.oid')}
   ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C", con.conname COLLATE "C"`;

export async function readConstraints(client: Client, schemas: readonly string[]): Promise<Constraints> {
  const { rows } = await client.query<{
    group: Exclude<keyof Constraints, 'validations'>;
    statement: string;
    validation: string | null;
  }>(constraintsSql, [schemas]);
  const domains = await client.query<{ statement: string }>(domainChecksSql, [schemas]);
  const of = (group: keyof Constraints): readonly string[] =>
    rows.filter((row) => row.group === group).map(({ statement }) => statement);
  return {
    checks: of('checks'),
    unprovedChecks: [...domains.rows.map(({ statement }) => statement), ...of('unprovedChecks')],
    primaryKeys: of('primaryKeys'),
    uniques: of('uniques'),
    parentKeys: of('parentKeys'),
    foreignKeys: of('foreignKeys'),
    validations: rows.flatMap(({ validation }) => (validation === null ? [] : [validation])),
  };
}
