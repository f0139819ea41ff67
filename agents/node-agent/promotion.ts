import type { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { Shard } from '../../core/cluster/items';
import { isRejoinError } from '../../core/errors';
import { followName, shardAfterFollowerLoss, shardAfterPromotion } from '../../core/node-recovery/ownership';
import type { Clock } from '../../core/ports/clock';
import type { DatabaseAddress, DatabaseOwnership, DatabaseReplication } from '../../core/ports/database-engine';

/** What taking over a shard needs. */
export interface PromotionPorts {
  readonly clock: Clock;
  readonly registry: ClusterRegistry;
  readonly databases: Pick<DatabaseReplication, 'pauseFollowing' | 'resumeFollowing' | 'stopFollowing'> &
    Pick<DatabaseOwnership, 'openShard'>;
}

/** When each part of a promotion was done, in milliseconds since the epoch: the parts of the blackout. */
export interface PromotionTimes {
  readonly shard: string;
  readonly decidedAtMs: number;
  /** No apply worker is left: the old primary can't be confirmed any more. */
  readonly fencedAtMs: number;
  /** The conditional write was won. */
  readonly promotedAtMs: number;
  /** The shard accepts writes here. */
  readonly openedAtMs: number;
}

/**
 * Makes this node the primary of a shard that it follows (rule 5): stops confirming, proves it, wins the conditional
 * write, opens the shard. Null when somebody else won.
 */
export async function promote(
  ports: PromotionPorts,
  self: DatabaseAddress,
  shard: Shard,
): Promise<{ readonly shard: Shard; readonly times: PromotionTimes } | null> {
  const { clock, registry, databases } = ports;
  const name = followName(shard);
  const decidedAtMs = clock.nowMs();
  await databases.pauseFollowing(self, name);
  const fencedAtMs = clock.nowMs();
  const fence = {
    kind: 'follower',
    api: `no apply worker of subscription ${name} is left on ${self.nodeId}`,
    probes: [],
  } as const;
  const after = shardAfterPromotion(
    shard,
    self.nodeId,
    { ...fence, probes: [`${self.nodeId} confirms nothing since ${fencedAtMs}`] },
    fencedAtMs,
  );
  if (!(await won(registry, self.cluster, shard, after))) {
    await databases.resumeFollowing(self, name);
    return null;
  }
  const promotedAtMs = clock.nowMs();
  await databases.openShard(self, { shard: shard.id, epoch: after.epoch });
  const openedAtMs = clock.nowMs();
  // Its slot is gone with the old primary; nothing waits for this.
  await databases.stopFollowing(self, name);
  return { shard: after, times: { shard: shard.id, decidedAtMs, fencedAtMs, promotedAtMs, openedAtMs } };
}

/** Goes on without a follower, by the same conditional write; the caller then shortens the synchronous list. */
export async function goOnAlone(
  ports: Pick<PromotionPorts, 'registry'>,
  cluster: string,
  shard: Shard,
): Promise<Shard | null> {
  const after = shardAfterFollowerLoss(shard);
  return (await won(ports.registry, cluster, shard, after)) ? after : null;
}

async function won(registry: ClusterRegistry, cluster: string, before: Shard, after: Shard): Promise<boolean> {
  try {
    await registry.changeShard(cluster, before, after);
    return true;
  } catch (thrown) {
    if (isRejoinError(thrown, 'ConditionFailed')) {
      return false;
    }
    throw thrown;
  }
}
