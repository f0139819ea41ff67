import type { Client } from 'pg';

/** Whoever takes this node's log now, by application name. */
export async function streamingFollowers(client: Client): Promise<readonly string[]> {
  const found = await client.query<{ name: string }>(
    `SELECT application_name AS name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY application_name`,
  );
  return found.rows.map((row) => row.name);
}
