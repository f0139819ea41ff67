import type { DatabaseOwnership } from '../../../core/ports/database-engine';
import { shortSession, withSession } from '../connection';
import type { ConnectionSource } from '../connection';
import { closeShard } from './close-shard';
import { installShard } from './install-shard';
import { openShard } from './open-shard';
import { revokeShard } from './revoke-shard';
import { readShards } from './shards';
import { readSynchronousFollowers, setSynchronousFollowers } from './synchronous-followers';

export function postgresOwnership(source: ConnectionSource): DatabaseOwnership {
  return {
    installShard: (address, order) =>
      withSession(source, address, shortSession, (client) => installShard(client, address, order)),
    shards: (address) => withSession(source, address, shortSession, readShards),
    openShard: (address, order) =>
      withSession(source, address, shortSession, (client) => openShard(client, address, order)),
    closeShard: (address, order) => {
      // The server ends the wait for the lock; the session must outlive it.
      const session = { ...shortSession, statementTimeoutMs: shortSession.statementTimeoutMs + order.drainTimeoutMs };
      return withSession(source, address, session, (client) => closeShard(client, address, order));
    },
    revokeShard: (address, order) =>
      withSession(source, address, shortSession, (client) => revokeShard(client, address, order)),
    setSynchronousFollowers: (address, names) => setSynchronousFollowers(source, address, names),
    synchronousFollowers: (address) => withSession(source, address, shortSession, readSynchronousFollowers),
  };
}
