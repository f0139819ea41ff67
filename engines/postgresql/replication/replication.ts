import type { DatabaseReplication } from '../../../core/ports/database-engine';
import { createBookkeeping } from '../bookkeeping';
import { shortSession, withSession } from '../connection';
import type { ConnectionSource } from '../connection';
import { readPosition } from '../probing/position';
import { confirmedPositions } from './confirmed-positions';
import { follow } from './follow';
import { followerState, writeMarkerRow } from './follower-state';
import { leaveReplication } from './leave-replication';
import { pauseFollowing, resumeFollowing, stopFollowing } from './following';
import { streamingFollowers } from './streaming-followers';

export function postgresReplication(source: ConnectionSource): DatabaseReplication {
  return {
    follow: (follower, order) => withSession(source, follower, shortSession, (client) => follow(source, client, order)),
    followerState: (primary, name) =>
      withSession(source, primary, shortSession, (client) => followerState(client, name)),
    streamingFollowers: (primary) => withSession(source, primary, shortSession, streamingFollowers),
    confirmedPositions: (primary) => withSession(source, primary, shortSession, confirmedPositions),
    writeMarker: (primary, shard) =>
      withSession(source, primary, shortSession, async (client) => {
        await createBookkeeping(client);
        await writeMarkerRow(client, shard);
        return readPosition(client);
      }),
    pauseFollowing: (follower, name) =>
      withSession(source, follower, shortSession, (client) => pauseFollowing(client, follower, name)),
    resumeFollowing: (follower, name) =>
      withSession(source, follower, shortSession, (client) => resumeFollowing(client, follower, name)),
    leaveReplication: (address) =>
      withSession(source, address, shortSession, (client) => leaveReplication(client, address)),
    stopFollowing: (follower, name) =>
      withSession(source, follower, shortSession, (client) => stopFollowing(client, follower, name)),
  };
}
