import type { Client } from 'pg';
import { positionBytes, positionOf, type LogPosition } from '../../../core/cluster/position';

/** Only slots of native replication: others are read by captures, which confirm what they stored. */
const confirmedSql = `
  SELECT slot_name AS name, confirmed_flush_lsn::text AS position FROM pg_replication_slots
   WHERE slot_type = 'logical' AND database = current_database() AND slot_name ~ '^s[0-9]{4}e[0-9]+$'
     AND confirmed_flush_lsn IS NOT NULL
   ORDER BY slot_name`;

/** How far each follower has confirmed this node's log: it has everything of its shard before that on disk. */
export async function confirmedPositions(client: Client): Promise<Readonly<Record<string, LogPosition>>> {
  const found = await client.query<{ name: string; position: string }>(confirmedSql);
  return Object.fromEntries(found.rows.map(({ name, position }) => [name, positionOf(positionBytes(position))]));
}
