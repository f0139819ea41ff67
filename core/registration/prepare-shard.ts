import { comparePositions } from '../cluster/position';
import { RejoinError } from '../errors';
import { followName } from '../node-recovery/ownership';
import type { Clock } from '../ports/clock';
import type { DatabaseAddress, DatabaseEngine } from '../ports/database-engine';
import { poll } from '../step/poll';
import type { PlannedShard } from './planned-shard';

export interface PreparePorts {
  readonly clock: Clock;
  readonly databases: Pick<
    DatabaseEngine,
    'installShard' | 'closeShard' | 'openSlot' | 'follow' | 'writeMarker' | 'followerState' | 'planRanges' | 'checksum'
  >;
}

/** A shard on its two owners. */
export interface ShardPlace {
  readonly shard: PlannedShard;
  readonly primary: DatabaseAddress;
  readonly follower: DatabaseAddress;
}

export interface CompareLimits {
  readonly rowsPerChunk: number;
  readonly bytesPerChunk: number;
  /** False: no time is left for another range. */
  readonly mayGoOn: () => boolean;
}

const drainTimeoutMs = 10_000;
const confirmTimeoutMs = 60_000;
const lookEveryMs = 200;

/**
 * Makes two copies of a shard's rows a primary and its follower: checks on both, replication between them, and the proof
 * that they hold the same. Nobody writes the shard from here until it is opened: what was compared stays true. Repeating it
 * changes nothing.
 *
 * @returns how many rows were compared
 * @throws NotProved when the copies differ, or the follower does not confirm
 */
export async function prepareShard(ports: PreparePorts, place: ShardPlace, limits: CompareLimits): Promise<number> {
  const { databases } = ports;
  const { shard, primary, follower } = place;
  const { id, schemas, epoch } = shard;
  for (const owner of [follower, primary]) {
    await databases.installShard(owner, { shard: id, schemas, epoch, writable: false });
  }
  await databases.closeShard(primary, { shard: id, epoch, drainTimeoutMs });
  const name = followName(shard);
  const from = await databases.openSlot(primary, { slot: name, shard: id, schemas });
  await databases.follow(follower, { name, shard: id, primary, from });
  await letFollowerConfirm(ports, place);
  return compare(ports, place, limits);
}

async function letFollowerConfirm({ clock, databases }: PreparePorts, { shard, primary, follower }: ShardPlace) {
  const marker = await databases.writeMarker(primary, shard.id);
  const confirmed = await poll(clock, { timeoutMs: confirmTimeoutMs, everyMs: lookEveryMs }, async () => {
    const { streaming, flushedTo } = await databases.followerState(primary, followName(shard));
    return streaming && flushedTo !== null && comparePositions(flushedTo, marker) >= 0 ? flushedTo : null;
  });
  if (confirmed === null) {
    throw new RejoinError(
      'NotProved',
      `${follower.nodeId} did not confirm ${marker} of ${primary.nodeId}'s log for ${shard.id} in ${confirmTimeoutMs / 1_000} s; see the log of its server: it must reach ${primary.host}:${primary.port}`,
    );
  }
}

/** Exact, because nobody writes. */
async function compare({ databases }: PreparePorts, place: ShardPlace, limits: CompareLimits): Promise<number> {
  const { shard, primary, follower } = place;
  let rows = 0;
  for (const { range } of await databases.planRanges(primary, { schemas: shard.schemas, ...limits })) {
    if (!limits.mayGoOn()) {
      throw new RejoinError('NotProved', `the copies of ${shard.id} are too large to be compared in one call`);
    }
    const [here, there] = await Promise.all([databases.checksum(primary, range), databases.checksum(follower, range)]);
    if (here.rows !== there.rows || here.high !== there.high || here.low !== there.low) {
      throw new RejoinError(
        'NotProved',
        `${shard.id} differs: ${range.schema}.${range.table} from ${range.lowKey?.join(', ') ?? 'its begin'} has ${here.rows} rows on ${primary.nodeId} and ${there.rows} on ${follower.nodeId}${here.rows === there.rows ? ', of another content' : ''}; load the same rows into both`,
      );
    }
    rows += here.rows;
  }
  return rows;
}
