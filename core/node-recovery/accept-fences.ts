import type { Fence, Shard } from '../cluster/items';
import type { ClusterSettings } from '../cluster/settings';
import { lostBy } from './ownership';
import { inWords } from './witnesses';

/** What the agents have done about a failed node's shards, and what is left for the workflow. */
export interface FencePlan {
  /** Shards whose follower fenced the node and took over: no machine fence is needed for them. */
  readonly accepted: readonly { readonly shard: string; readonly fence: Fence }[];
  /** Shards in whose item the node still stands, as primary or as follower. */
  readonly left: readonly string[];
  /** Whether the machine must be proved stopped before anything that is left may be promoted (rule 6). */
  readonly machineFirst: boolean;
  readonly reason: string;
}

/**
 * Accepts the fences that agents recorded (rule 5). A follower that stopped confirming and won the conditional write is
 * fence enough: whatever the old primary still does, it can't acknowledge a commit of that shard.
 */
export function acceptFences(
  nodeId: string,
  shards: readonly Shard[],
  cluster: Pick<ClusterSettings, 'durability' | 'layout'>,
): FencePlan {
  const accepted = shards.flatMap((shard) =>
    lostBy(shard, nodeId) && shard.primary !== nodeId && shard.fence?.kind === 'follower'
      ? [{ shard: shard.id, fence: shard.fence }]
      : [],
  );
  const left = shards.filter((shard) => shard.primary === nodeId || shard.follower === nodeId).map((shard) => shard.id);
  const machineFirst = cluster.durability === 'asynchronous' || cluster.layout === 'replicated';
  const byAgents =
    accepted.length === 0
      ? 'no follower has fenced it yet'
      : `${inWords(accepted.map(({ shard }) => shard))} ${accepted.length === 1 ? 'was' : 'were'} fenced by the follower`;
  const byUs = left.length === 0 ? 'nothing is left to promote' : `${left.length} shards are left`;
  const order = machineFirst
    ? 'commits did not wait for a follower, so the machine is stopped first'
    : 'the machine is stopped meanwhile';
  return { accepted, left, machineFirst, reason: `${byAgents}; ${byUs}; ${order}` };
}

/** What the machine API and the probes of two sites say of a machine that was told to stop. */
export interface StopSeen {
  /** The API's word: stopped or gone, or not yet. */
  readonly stopped: boolean;
  readonly api: string;
  readonly probes: readonly { readonly fromSite: string; readonly answer: 'open' | 'refused' | 'timed out' }[];
}

/** Probes from so many sites must find the port closed. */
export const probesNeeded = 2;

/** Whether the machine fence is proved (rule 7): the API says stopped *and* every probe, of two sites at least, fails. */
export function proveStopped(
  seen: StopSeen,
  nowMs: number,
): { readonly proved: boolean; readonly fence: Fence | null; readonly reason: string } {
  const words = seen.probes.map((probe) => `from ${probe.fromSite}: ${probe.answer}`);
  const open = seen.probes.filter((probe) => probe.answer === 'open');
  if (!seen.stopped) {
    return { proved: false, fence: null, reason: `the machine API does not say stopped: ${seen.api}` };
  }
  if (open.length > 0) {
    return {
      proved: false,
      fence: null,
      reason: `the machine API says ${seen.api}, but its port is open (${words.join(', ')})`,
    };
  }
  if (seen.probes.length < probesNeeded) {
    return {
      proved: false,
      fence: null,
      reason: `${seen.probes.length} probes agree, and ${probesNeeded} are needed (${words.join(', ') || 'none was made'})`,
    };
  }
  return {
    proved: true,
    fence: { kind: 'machine', api: seen.api, probes: words, atMs: nowMs },
    reason: `${seen.api}; ${words.join(', ')}`,
  };
}
