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
  `CREATE TABLE IF NOT EXISTS rejoin.index_build (
     shard text NOT NULL, statement text NOT NULL, state text NOT NULL, detail text, PRIMARY KEY (shard, statement))`,
];

/** Creates the bookkeeping where it is missing. */
export async function createBookkeeping(client: Client): Promise<void> {
  await client.query(`BEGIN; ${statements.join('; ')}; COMMIT`);
}
