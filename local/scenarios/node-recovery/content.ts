import { Client } from 'pg';
import type { Credentials } from '../../../core/ports/surroundings';
import { identifier, literal, qualified } from '../../../engines/postgresql/identifier';

/** One server, as the checks reach it: directly, without anything of what they check. */
export interface CheckedServer {
  readonly nodeId: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly administrator: Credentials;
}

/** Runs one query on a server. */
export async function ask<Row extends object>(server: CheckedServer, text: string): Promise<readonly Row[]> {
  const client = new Client({
    host: server.host,
    port: server.port,
    database: server.database,
    user: server.administrator.username,
    password: server.administrator.password,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 120_000,
    options: '-c TimeZone=UTC -c extra_float_digits=3',
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** The ordinary tables of these schemas with their primary keys, in order. */
export async function tablesOf(
  server: CheckedServer,
  schemas: readonly string[],
): Promise<readonly { readonly name: string; readonly key: string }[]> {
  const found = await ask<{ schema: string; table: string; key: string[] }>(
    server,
    `SELECT n.nspname AS schema, c.relname AS table,
        (SELECT array_agg(a.attname::text ORDER BY k.position) FROM pg_index i
          CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, position)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
          WHERE i.indrelid = c.oid AND i.indisprimary) AS key
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname IN (${schemas.map(literal).join(', ')})
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      ORDER BY 1, 2`,
  );
  return found.map(({ schema, table, key }) => ({
    name: qualified(schema, table),
    key: key.map((name) => `t.${identifier(name)}`).join(', '),
  }));
}

export interface Content {
  readonly rows: number;
  /** One MD5 over the MD5 of every row in the order of its key. */
  readonly digest: string;
}

/**
 * What a shard's tables hold, read whole and in order. Deliberately another computation than the one by which the workflow
 * compares rows: a mistake there must not hide itself here.
 */
export async function contentOf(server: CheckedServer, schemas: readonly string[]): Promise<Content> {
  let rows = 0;
  const digests: string[] = [];
  for (const table of await tablesOf(server, schemas)) {
    // `t` alone would be a column of that name, if there is one.
    const [found] = await ask<{ rows: string; digest: string | null }>(
      server,
      `SELECT count(*) AS rows, md5(string_agg(md5((t.*)::text), '' ORDER BY ${table.key})) AS digest FROM ONLY ${table.name} AS t`,
    );
    rows += Number(found?.rows ?? 0);
    digests.push(`${table.name} ${found?.digest ?? 'empty'}`);
  }
  return { rows, digest: digests.join('; ') };
}

/** Orders of a shard as id → version. */
export async function ordersOf(server: CheckedServer, schema: string): Promise<ReadonlyMap<number, number>> {
  const found = await ask<{ id: string; version: number }>(
    server,
    `SELECT id, version FROM ${identifier(schema)}.orders`,
  );
  return new Map(found.map((order) => [Number(order.id), order.version]));
}

/** The shards that a server accepts writes for. A standby accepts none, whatever its primary's bookkeeping says in it. */
export async function writableShards(server: CheckedServer): Promise<readonly string[]> {
  const [place] = await ask<{ name: string | null }>(server, `SELECT to_regclass('rejoin.shard') AS name`);
  if (place?.name == null) {
    // It never owned a shard.
    return [];
  }
  const found = await ask<{ shard: string }>(
    server,
    `SELECT shard FROM rejoin.shard WHERE writable AND NOT pg_is_in_recovery() ORDER BY shard`,
  );
  return found.map((row) => row.shard);
}

/** Rows that a server holds of schemas that are none of `schemas`. */
export async function rowsOutside(server: CheckedServer, schemas: readonly string[]): Promise<number> {
  const others = await ask<{ schema: string }>(
    server,
    `SELECT nspname AS schema FROM pg_namespace WHERE nspname NOT IN ('rejoin', 'information_schema', 'public'${schemas.map((schema) => `, ${literal(schema)}`).join('')}) AND nspname !~ '^pg_'`,
  );
  return others.length === 0
    ? 0
    : (
        await contentOf(
          server,
          others.map((row) => row.schema),
        )
      ).rows;
}
