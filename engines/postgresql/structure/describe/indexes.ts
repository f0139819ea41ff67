import type { Client } from 'pg';
import { notOfExtension } from './catalog';

export interface Indexes {
  /** Of tables that hold rows, not unique. */
  readonly plain: readonly string[];
  /** Unique ones: rows that were read at different times may break them until changes have been applied. */
  readonly unique: readonly string[];
  /** Of partitioned tables, without their partitions. */
  readonly parents: readonly string[];
  /** Of materialized views. */
  readonly ofViews: readonly string[];
  /** Statements that make indexes of partitions part of their parents'. */
  readonly attachments: readonly string[];
  /** Options of indexes that a constraint made, and which one a table is clustered on. */
  readonly settings: readonly string[];
}

/** Indexes that a constraint makes are left out. */
const indexesSql = `
  SELECT CASE c.relkind WHEN 'p' THEN 'parents' WHEN 'm' THEN 'ofViews' ELSE CASE WHEN i.indisunique THEN 'unique' ELSE 'plain' END END AS "group",
         pg_get_indexdef(i.indexrelid) AS statement
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_class ic ON ic.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'm') AND ${notOfExtension('pg_class', 'c.oid')}
     AND NOT EXISTS (SELECT FROM pg_constraint con WHERE con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x'))
   ORDER BY n.nspname COLLATE "C", ic.relname COLLATE "C"`;

const attachmentsSql = `
  SELECT format('ALTER INDEX %I.%I ATTACH PARTITION %I.%I', pn.nspname, p.relname, n.nspname, c.relname) AS statement
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('i', 'I')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class p ON p.oid = i.inhparent
    JOIN pg_namespace pn ON pn.oid = p.relnamespace
   WHERE n.nspname = ANY ($1::text[])
   ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

const settingsSql = `
  SELECT statement
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_class ic ON ic.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (VALUES
      (CASE WHEN ic.reloptions IS NOT NULL AND EXISTS (SELECT FROM pg_constraint con WHERE con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x'))
         THEN format('ALTER INDEX %I.%I SET (%s)', n.nspname, ic.relname, array_to_string(ic.reloptions, ', ')) END),
      (CASE WHEN i.indisclustered THEN format('ALTER TABLE %I.%I CLUSTER ON %I', n.nspname, c.relname, ic.relname) END),
      (CASE WHEN i.indisprimary AND c.relreplident = 'f' THEN format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY FULL', n.nspname, c.relname) END)
    ) AS v(statement)
   WHERE n.nspname = ANY ($1::text[]) AND statement IS NOT NULL AND ${notOfExtension('pg_class', 'c.oid')}
   ORDER BY 1`;

export async function readIndexes(client: Client, schemas: readonly string[]): Promise<Indexes> {
  const { rows } = await client.query<{ group: keyof Indexes; statement: string }>(indexesSql, [schemas]);
  const attachments = await client.query<{ statement: string }>(attachmentsSql, [schemas]);
  const settings = await client.query<{ statement: string }>(settingsSql, [schemas]);
  const of = (group: keyof Indexes): readonly string[] =>
    rows.filter((row) => row.group === group).map(({ statement }) => statement);
  return {
    plain: of('plain'),
    unique: of('unique'),
    parents: of('parents'),
    ofViews: of('ofViews'),
    attachments: attachments.rows.map(({ statement }) => statement),
    settings: settings.rows.map(({ statement }) => statement),
  };
}
