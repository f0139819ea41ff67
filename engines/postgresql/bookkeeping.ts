import type { Client } from 'pg';

/**
 * What Rejoin keeps on each node, beside the rows that it speaks of, so that both change in one transaction. Nothing of
 * it is replicated: each node has its own.
 */
const statements = [
  // Two sessions may create it at once; the lock makes the second wait and then find it.
  `SELECT pg_catalog.pg_advisory_xact_lock(5393742, 0)`,
  `CREATE SCHEMA IF NOT EXISTS rejoin`,
  `CREATE TABLE IF NOT EXISTS rejoin.shard (
     shard text PRIMARY KEY, schemas text[] NOT NULL, epoch bigint NOT NULL, writable boolean NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS rejoin.applied (
     shard text NOT NULL, lineage text NOT NULL, position pg_lsn NOT NULL, PRIMARY KEY (shard, lineage))`,
  `CREATE TABLE IF NOT EXISTS rejoin.loaded (
     load_id text PRIMARY KEY, shard text NOT NULL, row_count bigint NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS rejoin.marker (shard text PRIMARY KEY, number bigint NOT NULL)`,
  // `state` is waiting, running, built or failed; `builder` is the server process that runs or ran the statement.
  `CREATE TABLE IF NOT EXISTS rejoin.index_build (
     number bigint GENERATED ALWAYS AS IDENTITY, shard text NOT NULL, statement text NOT NULL, state text NOT NULL,
     builder integer, detail text)`,
  // A statement may be longer than an index entry can be.
  `CREATE UNIQUE INDEX IF NOT EXISTS index_build_statement ON rejoin.index_build (shard, pg_catalog.md5(statement))`,
];

/** Creates the bookkeeping where it is missing. Where it is there, this takes no lock that a long build could hold up. */
export async function createBookkeeping(client: Client): Promise<void> {
  if (await hasBookkeeping(client)) {
    return;
  }
  await client.query(`BEGIN; ${statements.join('; ')}; COMMIT`);
}

/** Whether there is bookkeeping on this node: Rejoin has done something here before. */
export async function hasBookkeeping(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ present: boolean }>(
    `SELECT to_regclass('rejoin.index_build_statement') IS NOT NULL AS present`,
  );
  return rows[0]?.present === true;
}
