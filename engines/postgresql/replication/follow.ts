import type { Client } from 'pg';
import { publicationName } from '../../../core/cluster/names';
import type { LogPosition } from '../../../core/cluster/position';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import type { ConnectionSource } from '../connection';
import { identifier, literal } from '../identifier';
import { connectionTo } from './connection-to';
import { hideFromLog } from './hide-from-log';

export interface FollowOrder {
  readonly name: string;
  readonly shard: string;
  readonly primary: DatabaseAddress;
  readonly from: LogPosition;
}

/**
 * Subscribes to a shard on the slot that its changes were captured from. The subscription begins disabled, because
 * until its origin is advanced to what was applied already, its worker would apply that again.
 *
 * Repeating it goes on where a run was cut off. An enabled subscription is left alone, and an origin never goes back.
 */
export async function follow(source: ConnectionSource, client: Client, order: FollowOrder): Promise<void> {
  const existing = await readSubscription(client, order.name);
  if (existing?.enabled === true) {
    return;
  }
  await hideFromLog(client);
  const connection = await connectionTo(source, client, order);
  if (existing === null) {
    await createSubscription(client, order, connection);
  } else {
    await client.query(`ALTER SUBSCRIPTION ${identifier(order.name)} CONNECTION ${literal(connection)}`);
  }
  await advanceOrigin(client, order);
  await client.query(`ALTER SUBSCRIPTION ${identifier(order.name)} ENABLE`);
}

/** A subscription of this database, or null. */
export async function readSubscription(client: Client, name: string): Promise<{ readonly enabled: boolean } | null> {
  const { rows } = await client.query<{ enabled: boolean }>(
    `SELECT subenabled AS enabled FROM pg_subscription s
       JOIN pg_database d ON d.oid = s.subdbid
      WHERE s.subname = $1 AND d.datname = current_database()`,
    [name],
  );
  return rows[0] ?? null;
}

/**
 * `synchronous_commit = local`: with its own default, the worker confirms only when the log writer comes by, 200 ms
 * later. `origin = any` (the default, and all there is before PostgreSQL 16): the primary may itself be fed by a
 * follower, whose changes must not be left out.
 */
async function createSubscription(client: Client, order: FollowOrder, connection: string): Promise<void> {
  const version = await client.query<{ number: number }>(
    `SELECT current_setting('server_version_num')::integer AS number`,
  );
  const origin = (version.rows[0]?.number ?? 0) >= 160_000 ? ', origin = any' : '';
  await client.query(
    `CREATE SUBSCRIPTION ${identifier(order.name)} CONNECTION ${literal(connection)}
       PUBLICATION ${identifier(publicationName(order.shard))}
       WITH (create_slot = false, copy_data = false, enabled = false, slot_name = ${literal(order.name)}, synchronous_commit = local${origin})`,
  );
}

async function advanceOrigin(client: Client, order: FollowOrder): Promise<void> {
  await client.query(
    `SELECT pg_replication_origin_advance(o.roname, $2::pg_lsn)
       FROM pg_subscription s
       JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
       JOIN pg_replication_origin o ON o.roname = 'pg_' || s.oid
      WHERE s.subname = $1 AND coalesce(pg_replication_origin_progress(o.roname, true) < $2::pg_lsn, true)`,
    [order.name, order.from],
  );
}
