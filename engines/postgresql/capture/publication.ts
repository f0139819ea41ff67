import type { Client } from 'pg';
import { publicationName } from '../../../core/cluster/names';
import { RejoinError } from '../../../core/errors';
import { inTransaction } from '../connection';
import { identifier, qualified } from '../identifier';
import { shardTables } from '../shard-tables';
import { tableFacts, type TableFacts } from '../table-facts';

/** Locks out another session that makes the same publication. */
const lockSql = `SELECT pg_advisory_xact_lock(5393743, hashtext($1))`;

const settings = `publish = 'insert, update, delete, truncate', publish_via_partition_root = false`;

const publicationSql = `
  SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot AS "asWanted"
    FROM pg_publication
   WHERE pubname = $1 AND NOT puballtables`;

const missingSql = `
  SELECT wanted.name
    FROM unnest($1::text[]) AS wanted (name)
   WHERE NOT EXISTS (SELECT FROM pg_publication_rel r
                       JOIN pg_publication p ON p.oid = r.prpubid
                      WHERE p.pubname = $2 AND r.prrelid = to_regclass(wanted.name))`;

/**
 * Makes the shard's publication, or adds the tables that it lacks. It lists tables one by one, because one `FOR ALL
 * TABLES` makes UPDATE fail on tables without a key. Partitions are listed and published as themselves
 * (`publish_via_partition_root = false`): rows are read, loaded and compared by partition too, and only so a TRUNCATE of
 * one partition is published at all.
 *
 * @throws PreflightRefused when the changes of a table would not name its rows, before anything is changed
 */
export async function ensurePublication(client: Client, shard: string, schemas: readonly string[]): Promise<void> {
  const publication = publicationName(shard);
  await inTransaction(client, async () => {
    await client.query(lockSql, [publication]);
    const tables = await publishableTables(client, schemas);
    const { rows } = await client.query<{ asWanted: boolean }>(publicationSql, [publication]);
    const [found] = rows;
    if (found === undefined) {
      await client.query(
        `CREATE PUBLICATION ${identifier(publication)} ${tableList('FOR', tables)} WITH (${settings})`,
      );
      return;
    }
    if (!found.asWanted) {
      await client.query(`ALTER PUBLICATION ${identifier(publication)} SET (${settings})`);
    }
    const missing = await client.query<{ name: string }>(missingSql, [tables, publication]);
    if (missing.rows.length > 0) {
      const names = missing.rows.map(({ name }) => name);
      await client.query(`ALTER PUBLICATION ${identifier(publication)} ${tableList('ADD', names)}`);
    }
  });
}

function tableList(verb: 'FOR' | 'ADD', names: readonly string[]): string {
  return names.length === 0 ? '' : `${verb} TABLE ONLY ${names.join(', ONLY ')}`;
}

async function publishableTables(client: Client, schemas: readonly string[]): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { schema, table } of await shardTables(client, schemas)) {
    const facts = await tableFacts(client, schema, table);
    checkIdentity(facts);
    names.push(qualified(schema, table));
  }
  return names;
}

/** Updates and deletes must carry the primary key, by which rows are found again. */
function checkIdentity(table: TableFacts): void {
  const { replicaIdentity, identityColumns, key } = table;
  const covered =
    replicaIdentity === 'default' ||
    replicaIdentity === 'full' ||
    (replicaIdentity === 'index' && key.every(({ name }) => identityColumns.includes(name)));
  if (!covered) {
    const what = replicaIdentity === 'index' ? `index on (${identityColumns.join(', ')})` : replicaIdentity;
    throw new RejoinError(
      'PreflightRefused',
      `changes of table '${table.schema}.${table.table}' can't be captured: its replica identity is ${what}, which does not tell its primary key (${key.map(({ name }) => name).join(', ')}); run ALTER TABLE ${table.name} REPLICA IDENTITY DEFAULT`,
    );
  }
}
