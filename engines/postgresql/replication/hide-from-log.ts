import type { Client } from 'pg';

/** For statements that hold a password, as servers log statements. Only a superuser may change what is logged. */
export async function hideFromLog(client: Client): Promise<void> {
  await client.query(
    `SELECT set_config(name, CASE name WHEN 'log_statement' THEN 'none' WHEN 'log_min_error_statement' THEN 'panic' ELSE '-1' END, false)
       FROM unnest(ARRAY['log_statement', 'log_min_error_statement', 'log_min_duration_statement', 'log_min_duration_sample']) AS name
      WHERE current_setting('is_superuser') = 'on'`,
  );
}
