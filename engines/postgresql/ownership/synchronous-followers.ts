import type { Client } from 'pg';
import { DatabaseError } from 'pg';
import { RejoinError } from '../../../core/errors';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { waitUntil } from '../condition';
import { shortSession, withSession } from '../connection';
import type { ConnectionSource } from '../connection';
import { identifier, literal } from '../identifier';

const reloadTimeoutMs = 5_000;
const insufficientPrivilege = '42501';

/** The setting that makes each commit wait for all of these followers; '' for none. */
export function standbyNames(names: readonly string[]): string {
  return names.length === 0 ? '' : `FIRST ${names.length} (${names.map(identifier).join(', ')})`;
}

/** The followers in a setting of ours; other forms ('ANY 1 (…)', '*') keep their names in order. */
export function parseStandbyNames(setting: string): readonly string[] {
  const list = /\((.*)\)\s*$/s.exec(setting)?.[1] ?? setting;
  return [...list.matchAll(/"((?:[^"]|"")*)"|([^\s,]+)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}

/** The followers that confirm each commit now. */
export async function readSynchronousFollowers(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ names: string }>(
    `SELECT current_setting('synchronous_standby_names') AS names`,
  );
  return parseStandbyNames(rows[0]?.names ?? '');
}

/**
 * Replaces the followers that confirm each commit and waits until a new session has the list and the server's own
 * processes of those that stream follow it. A name that nobody streams under stalls every commit of the node, on
 * purpose.
 *
 * @throws ApiRefused where the server doesn't allow ALTER SYSTEM (RDS); SqlUnavailable when the server doesn't reload
 */
export async function setSynchronousFollowers(
  source: ConnectionSource,
  address: DatabaseAddress,
  names: readonly string[],
): Promise<void> {
  const setting = standbyNames(names);
  await withSession(source, address, shortSession, async (client) => {
    try {
      await client.query(`ALTER SYSTEM SET synchronous_standby_names = ${literal(setting)}`);
    } catch (thrown) {
      if (thrown instanceof DatabaseError && thrown.code === insufficientPrivilege) {
        throw new RejoinError(
          'ApiRefused',
          `node '${address.nodeId}' doesn't allow ALTER SYSTEM, as on RDS, so no follower can confirm its commits; set 'durability: asynchronous' for cluster '${address.cluster}'`,
          { cause: thrown },
        );
      }
      throw thrown;
    }
    await client.query('SELECT pg_reload_conf()');
  });
  await waitUntil(() => inForce(source, address, setting, names), {
    timeoutMs: reloadTimeoutMs,
    late: () =>
      new RejoinError(
        'SqlUnavailable',
        `node '${address.nodeId}' did not take over synchronous_standby_names = '${setting}' within ${reloadTimeoutMs} ms`,
      ),
  });
}

async function inForce(
  source: ConnectionSource,
  address: DatabaseAddress,
  setting: string,
  names: readonly string[],
): Promise<boolean> {
  return withSession(source, address, shortSession, async (client) => {
    const { rows } = await client.query<{ ready: boolean }>(
      `SELECT current_setting('synchronous_standby_names') = $1
              AND NOT EXISTS (SELECT FROM pg_stat_replication
                               WHERE application_name = ANY ($2::text[]) AND state = 'streaming' AND sync_priority = 0) AS ready`,
      [setting, names],
    );
    return rows[0]?.ready === true;
  });
}
