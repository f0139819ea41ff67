import type { Client } from 'pg';

/**
 * Lets a session that changes rows end soon after its client froze or its machine went away, so that whoever repeats the
 * work does not wait for it; and lets it not wait for another one's locks for long.
 */
export async function guardSession(client: Client): Promise<void> {
  await client.query(`
    SET lock_timeout = '60s';
    SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 20;
    SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3`);
}
