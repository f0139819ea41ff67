import type { Client } from 'pg';
import type { ShardOnNode } from '../../../core/ports/database-engine';
import { hasBookkeeping } from '../bookkeeping';

/** The shards that a node holds, by name; none where Rejoin has never been. */
export async function readShards(client: Client): Promise<readonly ShardOnNode[]> {
  if (!(await hasBookkeeping(client))) {
    return [];
  }
  const { rows } = await client.query<{ shard: string; epoch: string; writable: boolean }>(
    `SELECT shard, epoch, writable AND NOT pg_is_in_recovery() AS writable
       FROM rejoin.shard ORDER BY shard COLLATE "C"`,
  );
  return rows.map((row) => ({ shard: row.shard, epoch: Number(row.epoch), writable: row.writable }));
}
