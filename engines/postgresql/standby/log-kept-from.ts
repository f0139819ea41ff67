import type { Client } from 'pg';

/**
 * The oldest segment's last write: whatever came later is in the log that is still there. Segments of all timelines follow
 * each other by the end of their names, and those that are kept for later use come last.
 */
const oldestSql = `
  SELECT extract(epoch FROM modification) * 1000 AS "fromMs", current_setting('restore_command') <> '' AS "isArchived"
    FROM pg_ls_waldir()
   WHERE name ~ '^[0-9A-F]{24}$'
   ORDER BY substr(name, 9), name
   LIMIT 1`;

/** Since when every change is in the log that the server can give, in milliseconds since the epoch; null: an archive has it all. */
export async function logKeptFromMs(client: Client): Promise<number | null> {
  const { rows } = await client.query<{ fromMs: string; isArchived: boolean }>(oldestSql);
  const [oldest] = rows;
  return oldest === undefined || oldest.isArchived ? null : Math.ceil(Number(oldest.fromMs));
}
