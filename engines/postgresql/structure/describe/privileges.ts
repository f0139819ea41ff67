import type { Client } from 'pg';
import { literal } from '../../identifier';
import { notOfExtension } from './catalog';

/** What has an owner and privileges: its name after the keyword that ALTER, GRANT and REVOKE know it by. */
const ownedSql = `
  owned(place, keyword, name, owner, acl, defaults) AS (
    SELECT 1, 'SCHEMA', format('%I', n.nspname), n.nspowner, n.nspacl, acldefault('n', n.nspowner) FROM pg_namespace n WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT 2, CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' WHEN c.relkind = 'm' THEN 'MATERIALIZED VIEW' WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END,
           format('%I.%I', n.nspname, c.relname), c.relowner, c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND ${notOfExtension('pg_class', 'c.oid')}
    UNION ALL
    SELECT 3, 'ROUTINE', p.oid::regprocedure::text, p.proowner, p.proacl, acldefault('f', p.proowner)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = ANY ($1::text[]) AND ${notOfExtension('pg_proc', 'p.oid')}
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT 4, 'TYPE', format('%I.%I', n.nspname, t.typname), t.typowner, t.typacl, acldefault('T', t.typowner)
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
     WHERE n.nspname = ANY ($1::text[]) AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND ${notOfExtension('pg_type', 't.oid')})`;

/** A sequence that a column owns has that table's owner, and refuses another one. */
const ownersSql = `
  WITH ${ownedSql}
  SELECT keyword, name, r.rolname AS role, format('ALTER %s %s OWNER TO %I', keyword, name, r.rolname) AS statement
    FROM owned o
    JOIN pg_roles r ON r.oid = o.owner
   WHERE r.rolname <> current_user
     AND NOT (keyword = 'SEQUENCE' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = name::regclass
                                                AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')))
   ORDER BY place, name COLLATE "C"`;

/**
 * Privileges that differ from what a new object of that owner has. Everything is revoked first, so that a privilege
 * which the owner or PUBLIC had lost stays lost.
 */
const grantsSql = `
  WITH ${ownedSql},
  granted AS (
    SELECT o.place, g.keyword, o.name, '' AS of_columns, owner, acl FROM owned o
      CROSS JOIN LATERAL (SELECT CASE WHEN o.keyword IN ('VIEW', 'MATERIALIZED VIEW') THEN 'TABLE' ELSE o.keyword END AS keyword) g
     WHERE acl IS NOT NULL
    UNION ALL
    SELECT 5, 'TABLE', format('%I.%I', n.nspname, c.relname), format(' (%I)', a.attname), c.relowner, a.attacl
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY ($1::text[]) AND a.attacl IS NOT NULL AND NOT a.attisdropped AND ${notOfExtension('pg_class', 'c.oid')})
  SELECT NULL AS role, place, name, of_columns, 0 AS step, format('REVOKE ALL ON %s %s FROM PUBLIC', keyword, name) AS statement
    FROM granted WHERE of_columns = ''
  UNION ALL
  SELECT r.rolname, place, name, of_columns, 0, format('REVOKE ALL ON %s %s FROM %I', keyword, name, r.rolname)
    FROM granted JOIN pg_roles r ON r.oid = owner WHERE of_columns = ''
  UNION ALL
  SELECT r.rolname, place, name, of_columns, 1,
         format('GRANT %s ON %s %s TO %s%s', string_agg(a.privilege_type || of_columns, ', ' ORDER BY a.privilege_type), keyword, name,
                coalesce(quote_ident(r.rolname), 'PUBLIC'), CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM granted
    CROSS JOIN LATERAL aclexplode(acl) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
   WHERE a.grantee = 0 OR r.oid IS NOT NULL
   GROUP BY place, keyword, name, of_columns, r.rolname, a.is_grantable
   ORDER BY place, name, of_columns, step, statement`;

const defaultPrivilegesSql = `
  SELECT maker.rolname AS maker, grantee.rolname AS role,
         format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT %s ON %s TO %s%s', maker.rolname, n.nspname,
                string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type),
                CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' END,
                coalesce(quote_ident(grantee.rolname), 'PUBLIC'), CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
    FROM pg_default_acl d
    JOIN pg_namespace n ON n.oid = d.defaclnamespace
    JOIN pg_roles maker ON maker.oid = d.defaclrole
    CROSS JOIN LATERAL aclexplode(d.defaclacl) a
    LEFT JOIN pg_roles grantee ON grantee.oid = a.grantee
   WHERE n.nspname = ANY ($1::text[]) AND (a.grantee = 0 OR grantee.oid IS NOT NULL)
   GROUP BY maker.rolname, n.nspname, d.defaclobjtype, grantee.rolname, a.is_grantable
   ORDER BY 3`;

/**
 * Owners and privileges. Each statement takes effect only where its roles exist: roles belong to the server, not to the
 * shard.
 */
export async function readPrivileges(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const owners = await client.query<{ role: string; statement: string }>(ownersSql, [schemas]);
  const grants = await client.query<{ role: string | null; statement: string }>(grantsSql, [schemas]);
  const defaults = await client.query<{ maker: string; role: string | null; statement: string }>(defaultPrivilegesSql, [
    schemas,
  ]);
  return [
    ...owners.rows.map(({ role, statement }) => whereRolesExist([role], statement)),
    ...grants.rows.map(({ role, statement }) => (role === null ? statement : whereRolesExist([role], statement))),
    ...defaults.rows.map(({ maker, role, statement }) =>
      whereRolesExist(role === null ? [maker] : [maker, role], statement),
    ),
  ];
}

function whereRolesExist(roles: readonly string[], statement: string): string {
  const present = [...new Set(roles)]
    .map((role) => `EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(role)})`)
    .join(' AND ');
  return `DO ${literal(`BEGIN IF ${present} THEN EXECUTE ${literal(statement)}; END IF; END`)}`;
}
