import { DatabaseError, type Client } from 'pg';
import type { LogPosition } from '../../../core/cluster/position';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { shortSession, withSession, type ConnectionSource } from '../connection';
import { ensurePublication } from './publication';
import { slotFacts } from './slot-state';

const queryCanceled = '57014';
const duplicateObject = '42710';

/**
 * Makes the shard's publication and then the slot: a slot reads the publication as it was at each change, so it has to be
 * there before. A usable slot of that name is kept, a lost one is replaced: nothing can be read from it.
 *
 * Creating a slot waits for every transaction that has written and is still open, on the whole server, prepared ones
 * included. When that takes longer than `timeoutMs` nothing is left behind.
 *
 * @throws SqlUnavailable naming the transactions that it waits for; PreflightRefused
 */
export async function openSlot(
  source: ConnectionSource,
  address: DatabaseAddress,
  order: {
    readonly slot: string;
    readonly shard: string;
    readonly schemas: readonly string[];
    readonly timeoutMs: number;
  },
): Promise<LogPosition> {
  const { slot, shard, schemas, timeoutMs } = order;
  return withSession(source, address, { ...shortSession, statementTimeoutMs: timeoutMs }, async (client) => {
    await ensurePublication(client, shard, schemas);
    const before = await slotFacts(client, slot);
    if (before.confirmedTo !== null) {
      return before.confirmedTo;
    }
    if (before.state === 'lost') {
      await client.query('SELECT pg_drop_replication_slot($1)', [slot]);
    }
    try {
      return await createSlot(client, slot);
    } catch (thrown) {
      const code = thrown instanceof DatabaseError ? thrown.code : undefined;
      if (code === queryCanceled) {
        const cause = { cause: thrown };
        throw new RejoinError('SqlUnavailable', await describeWait(client, slot, timeoutMs), cause);
      }
      if (code === duplicateObject) {
        // Another session was faster.
        const { confirmedTo } = await slotFacts(client, slot);
        if (confirmedTo !== null) {
          return confirmedTo;
        }
      }
      throw thrown;
    }
  });
}

async function createSlot(client: Client, slot: string): Promise<LogPosition> {
  const { rows } = await client.query<{ lsn: LogPosition }>(
    `SELECT lsn::text AS lsn FROM pg_create_logical_replication_slot($1, 'pgoutput')`,
    [slot],
  );
  const [created] = rows;
  if (created === undefined) {
    throw new RejoinError('SqlFailed', `slot '${slot}' was created without a position`);
  }
  return created.lsn;
}

const writersSql = `
  SELECT format('process %s (%s, in %s, open for %s s)', pid, coalesce(nullif(application_name, ''), 'no name'), datname,
                extract(epoch FROM now() - xact_start)::int) AS writer
    FROM pg_stat_activity
   WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
   UNION ALL
  SELECT format('prepared transaction %L (in %s, since %s)', gid, database, prepared) FROM pg_prepared_xacts`;

const namedWriters = 10;

async function describeWait(client: Client, slot: string, timeoutMs: number): Promise<string> {
  const { rows } = await client.query<{ writer: string }>(writersSql);
  const names = rows.slice(0, namedWriters).map(({ writer }) => writer);
  const more = rows.length > names.length ? ` and ${rows.length - names.length} more` : '';
  const who = names.length === 0 ? 'which have ended meanwhile' : `${names.join('; ')}${more}`;
  return `slot '${slot}' could not be created within ${timeoutMs} ms: that waits for open write transactions: ${who}; end them, or try again`;
}
