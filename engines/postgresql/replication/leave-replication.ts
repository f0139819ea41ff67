import type { Client } from 'pg';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { dropSlot } from '../capture/drop-slot';
import { stopFollowing } from './following';

const subscriptionsSql = `
  SELECT s.subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
   WHERE d.datname = current_database() AND s.subname ~ '^s[0-9]{4}e[0-9]+$' ORDER BY s.subname`;

/** Of followers (`s0007e12`) and of captures (`c0007e12b3fa9c1`). */
const slotsSql = `
  SELECT slot_name AS name FROM pg_replication_slots
   WHERE database = current_database() AND slot_name ~ '^(s[0-9]{4}e[0-9]+|c[0-9]{4}e[0-9]+b[0-9a-f]{6})$' ORDER BY slot_name`;

/** Subscriptions first: their workers change rows. A slot that nobody reads would keep the log for ever. */
export async function leaveReplication(client: Client, address: DatabaseAddress): Promise<void> {
  const subscriptions = await client.query<{ name: string }>(subscriptionsSql);
  for (const { name } of subscriptions.rows) {
    await stopFollowing(client, address, name);
  }
  const slots = await client.query<{ name: string }>(slotsSql);
  for (const { name } of slots.rows) {
    await dropSlot(client, name);
  }
}
