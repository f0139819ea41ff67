import type { Fence, Shard } from '../cluster/items';
import { replicationName } from '../cluster/names';
import { baseId } from './replacement';
import type { Witness } from './witnesses';
import { callFailed, inWords } from './witnesses';

/*
 * Who owns a shard, and who confirms its commits. Agents (in seconds) and steps change ownership by the same functions,
 * each followed by one conditional write on the shard's epoch and version, so that only one of them can win.
 *
 * | state         | follower | listed as synchronous | may be promoted |
 * | ------------- | -------- | --------------------- | --------------- |
 * | `in sync`     | a node   | yes                   | yes             |
 * | `moving`      | a node   | yes                   | no: its writes are stopped while the primary changes |
 * | `restoring`   | a node   | yes                   | no: it confirms new commits, but may lack older ones |
 * | `restoring`   | null     |                       |                 |
 * | `single copy` | null     |                       |                 |
 *
 * A follower stands in the item exactly as long as its name belongs in its primary's list. Each change of the epoch
 * ends the subscription that had the old epoch's name; `restoring` → `in sync` and `in sync` → `moving` keep the epoch.
 */

/** What to do about a shard whose other owner is silent. `wait`: look again at the next probe. */
export interface OwnershipDecision {
  readonly action: 'promote' | 'drop follower' | 'wait' | 'none';
  readonly reason: string;
}

/** What an owner of a shard knows when it decides about the other one. */
export interface OwnershipView {
  readonly shard: Shard;
  /** The owner that decides. */
  readonly by: string;
  /** What each witness says of the other owner, the deciding owner's own agent among them. */
  readonly witnesses: readonly Witness[];
  readonly witnessesNeeded: number;
}

/**
 * Decides whether a follower makes itself the primary (rule 5). The witnesses keep a healthy primary in its role; what
 * makes the promotion safe is the order after it: stop confirming, prove it, then win the conditional write.
 */
export function decidePromotion(view: OwnershipView): OwnershipDecision {
  const { shard, by } = view;
  if (shard.follower !== by) {
    return { action: 'none', reason: `${by} is not the follower of ${shard.id}` };
  }
  if (shard.state !== 'in sync') {
    return { action: 'none', reason: `${shard.id} is '${shard.state}': its follower may lack acknowledged rows` };
  }
  const judged = judge(view, shard.primary);
  return judged.failed
    ? { action: 'promote', reason: judged.reason }
    : { action: judged.doubted ? 'wait' : 'none', reason: judged.reason };
}

/** How long a primary waits for a second witness before it goes on alone: until then its commits stall. */
export const followerPatienceMs = 5_000;

/**
 * Decides whether a primary goes on without its follower. Where nobody else confirms the failure (a cut between just
 * these two), it waits `followerPatienceMs`: a stalled shard is worse than a second copy that has to be made again.
 *
 * @param silentForMs how long the primary's own probes of the follower have failed; 0 when they succeed
 */
export function decideFollowerLoss(view: OwnershipView & { readonly silentForMs: number }): OwnershipDecision {
  const { shard, by } = view;
  if (shard.primary !== by || shard.follower === null) {
    return { action: 'none', reason: `${by} is not a primary of ${shard.id} with a follower` };
  }
  const judged = judge(view, shard.follower);
  if (judged.failed) {
    return { action: 'drop follower', reason: judged.reason };
  }
  if (view.silentForMs >= followerPatienceMs) {
    const seconds = Math.round(view.silentForMs / 1000);
    return {
      action: 'drop follower',
      reason: `${by} has not reached ${shard.follower} for ${seconds} s and its commits stall (${judged.reason})`,
    };
  }
  return { action: judged.doubted ? 'wait' : 'none', reason: judged.reason };
}

/**
 * The shard's item once its follower is the primary.
 *
 * @throws RangeError when `follower` does not follow it: a caller's mistake, never a matter of timing
 */
export function shardAfterPromotion(shard: Shard, follower: string, fence: Omit<Fence, 'atMs'>, nowMs: number): Shard {
  if (shard.follower !== follower) {
    throw new RangeError(`${follower} does not follow ${shard.id} (follower: ${shard.follower ?? 'none'})`);
  }
  return takenOver(shard, follower, { ...fence, atMs: nowMs }, shard.primary);
}

/**
 * The shard's item once a physical standby is its primary, behind the fence of the old one's machine: it has all that it
 * received, and whoever else stands behind it is a copy that this item does not count.
 */
export function shardAfterStandbyPromotion(shard: Shard, standby: string, fence: Fence): Shard {
  return takenOver(shard, standby, fence, shard.primary);
}

/** Its only owner from now on is `primary`, fenced from whoever was it before. */
function takenOver(shard: Shard, primary: string, fence: Fence, lostOwner: string): Shard {
  const { epoch, version } = shard;
  return {
    ...shard,
    epoch: epoch + 1,
    version: version + 1,
    primary,
    follower: null,
    state: 'single copy',
    fence,
    lostOwner,
  };
}

/**
 * The shard's item once its primary goes on alone. Its fence stays: no promotion happened. Where the follower was only
 * joining, the owner whose place it was to take is still the one that is lost.
 */
export function shardAfterFollowerLoss(shard: Shard): Shard {
  if (shard.follower === null) {
    throw new RangeError(`${shard.id} has no follower to lose`);
  }
  return {
    ...shard,
    epoch: shard.epoch + 1,
    version: shard.version + 1,
    follower: null,
    state: 'single copy',
    lostOwner: shard.state === 'restoring' ? (shard.lostOwner ?? shard.follower) : shard.follower,
  };
}

/** The shard's item once `follower` streams with little lag: from now on it confirms commits, but is not promoted. */
export function shardAfterJoining(shard: Shard, follower: string): Shard {
  if (shard.follower !== null) {
    throw new RangeError(`${shard.id} is already followed by ${shard.follower}`);
  }
  return { ...shard, version: shard.version + 1, follower, state: 'restoring' };
}

/**
 * The shard's item once `successor` takes the place of a follower that is still there (rule 16): it has confirmed
 * everything by then, and confirms commits from now on. The old follower keeps what it has until the new one is in sync.
 */
export function shardAfterSuccession(shard: Shard, successor: string): Shard {
  if (shard.follower === null || shard.state !== 'in sync') {
    throw new RangeError(`${shard.id} is '${shard.state}'; only a follower in sync can have a successor`);
  }
  return { ...shard, epoch: shard.epoch + 1, version: shard.version + 1, follower: successor, state: 'restoring' };
}

/** The shard's item once its follower has confirmed a marker that was written after it was listed as synchronous. */
export function shardInSync(shard: Shard): Shard {
  if (shard.follower === null) {
    throw new RangeError(`${shard.id} has no follower that could be in sync`);
  }
  return shardWithStandby(shard);
}

/** The shard's item once a standby in the place of the one that was lost has proved that it has every row. */
export function shardWithStandby(shard: Shard): Shard {
  const { id, schemas, epoch, primary, follower, fence } = shard;
  return { id, schemas, epoch, primary, follower, version: shard.version + 1, state: 'in sync', fence };
}

/**
 * The shard's item once `successor` has been made its only owner from a backup. Whoever else owned it comes back, if ever,
 * to a later epoch. The place that is free belongs to the owner that was not replaced.
 */
export function shardAfterRestore(shard: Shard, successor: string, fence: Fence): Shard {
  const others = [shard.primary, shard.follower, shard.lostOwner ?? null];
  const lostOwner = others.find((owner) => owner !== null && baseId(owner) !== baseId(successor)) ?? shard.primary;
  return takenOver(shard, successor, fence, lostOwner);
}

/** The shard's item while its writes are stopped so that its primary can change. */
export function shardMoving(shard: Shard): Shard {
  if (shard.state !== 'in sync') {
    throw new RangeError(`${shard.id} is '${shard.state}'; only a shard in sync can move`);
  }
  return { ...shard, version: shard.version + 1, state: 'moving' };
}

/**
 * The shard's item once its two owners have changed roles. The old primary is closed and follows the new one, but counts
 * as `restoring` until it has confirmed a marker there.
 */
export function shardAfterMove(shard: Shard): Shard {
  if (shard.follower === null || shard.state !== 'moving') {
    throw new RangeError(`${shard.id} is '${shard.state}' and can't change its primary`);
  }
  return {
    ...shard,
    epoch: shard.epoch + 1,
    version: shard.version + 1,
    primary: shard.follower,
    follower: shard.primary,
    state: 'restoring',
  };
}

/**
 * The name that the shard's slot, subscription and entry in the synchronous list have while it is at this epoch: of the
 * live ones where it has a follower, and of the ones to create for its next follower where it has none (`joinName`).
 */
export function followName(shard: Pick<Shard, 'id' | 'epoch'>): string {
  return replicationName(shard.id, shard.epoch);
}

/**
 * The name of the slot and subscription by which the shard's next follower joins. While it still has one, the live name
 * is taken, and the next follower begins with the next epoch.
 */
export function joinName(shard: Pick<Shard, 'id' | 'epoch' | 'follower'>): string {
  return replicationName(shard.id, shard.follower === null ? shard.epoch : shard.epoch + 1);
}

/**
 * Everyone who has to confirm a node's commits, for `FIRST n (…)`: the followers of its primary shards, in order.
 * Computed from the registry alone, so that whoever sets the list sets the same one.
 */
export function synchronousNames(nodeId: string, shards: readonly Shard[]): readonly string[] {
  return shards
    .filter((shard) => shard.primary === nodeId && shard.follower !== null)
    .map(followName)
    .sort();
}

/**
 * Whether a node owns the shard now, or owned it until the other owner went on alone. A shard that was lost by a node's
 * predecessor, or by a replacement that was taken away again, is lost by its whole line: `node-3`, `node-3-r1`, ….
 */
export function ownedBy(shard: Shard, nodeId: string): boolean {
  return shard.primary === nodeId || shard.follower === nodeId || lostBy(shard, nodeId);
}

/** Whether the shard lacks its second copy since a node of this line lost it. */
export function lostBy(shard: Shard, nodeId: string): boolean {
  return shard.lostOwner !== undefined && baseId(shard.lostOwner) === baseId(nodeId);
}

/**
 * The owner that holds a shard's acknowledged rows without `nodeId`; null when there is none. A joining follower is none:
 * it may lack rows from before it was listed.
 */
export function survivorOf(shard: Shard, nodeId: string): string | null {
  if (shard.primary !== nodeId) {
    return shard.primary;
  }
  return shard.state === 'restoring' ? null : shard.follower;
}

function judge(
  view: OwnershipView,
  about: string,
): { readonly failed: boolean; readonly doubted: boolean; readonly reason: string } {
  const against = view.witnesses.filter((witness) => witness.verdict === 'failed');
  const alive = view.witnesses.filter((witness) => witness.verdict === 'alive');
  if (against.length === 0) {
    return { failed: false, doubted: false, reason: `no witness calls ${about} failed` };
  }
  if (alive.length > 0) {
    const reached = inWords(alive.map((witness) => witness.name));
    return { failed: false, doubted: true, reason: `${callFailed(against, about)}, but it answers ${reached}` };
  }
  if (against.length < view.witnessesNeeded) {
    return {
      failed: false,
      doubted: true,
      reason: `only ${callFailed(against, about)}; ${view.witnessesNeeded} witnesses are needed`,
    };
  }
  return { failed: true, doubted: true, reason: callFailed(against, about) };
}
