import { replicationName } from '../cluster/names';
import type { Shard } from '../cluster/items';
import type { ShardOnNode } from '../ports/database-engine';
import type { Verdict } from './suspicion';

/** What one node's agent knows at one moment. */
export interface AgentFacts {
  readonly nodeId: string;
  readonly durability: 'synchronous' | 'asynchronous';
  /** What the registry says, read after everything else below. */
  readonly shards: readonly Shard[];
  /** What this node's own server says. */
  readonly local: readonly ShardOnNode[];
  /** The names in this server's synchronous list. */
  readonly confirming: readonly string[];
  /** How many times in a row a name of that list was found not streaming. */
  readonly missesOf: ReadonlyMap<string, number>;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** The peers that another agent calls failed too, or whose failure nobody else could witness. */
  readonly agreed: ReadonlySet<string>;
  /** Members of the cluster that are expected to answer, this one included. */
  readonly members: number;
}

/** Something an agent has to do now, and why. */
export type Duty =
  | { readonly kind: 'promote'; readonly shard: Shard; readonly reason: string }
  | { readonly kind: 'go on alone'; readonly shard: Shard; readonly reason: string }
  | { readonly kind: 'open'; readonly shard: Shard; readonly reason: string }
  | { readonly kind: 'close'; readonly shard: string; readonly epoch: number; readonly reason: string }
  | { readonly kind: 'confirm by'; readonly names: readonly string[]; readonly reason: string };

/** A name that is missed this often, while its node answers, is a follower that does not follow: about one second. */
const missesOfLivingFollower = 5;
/** The follower's node is silent too: two observations of the same thing. */
const missesOfSilentFollower = 1;

/**
 * What the agent of a node has to do, most urgent first. Equal facts give equal duties, and a duty that was done is gone
 * from the next answer, so that an agent that died in between goes on where it stopped.
 */
export function agentDuties(facts: AgentFacts): readonly Duty[] {
  return [
    ...facts.local.flatMap((local) => closeDuty(facts, local)),
    ...promoteDuties(facts),
    ...aloneDuties(facts),
    ...openDuties(facts),
    ...confirmDuty(facts),
  ];
}

/** A returning node finds that its shards went on elsewhere, and refuses writes from then on. */
function closeDuty(facts: AgentFacts, local: ShardOnNode): readonly Duty[] {
  const shard = facts.shards.find((candidate) => candidate.id === local.shard);
  if (!local.writable || shard === undefined || shard.primary === facts.nodeId) {
    return [];
  }
  const reason = `${shard.id} belongs to ${shard.primary} since epoch ${shard.epoch}; this node accepted writes at epoch ${local.epoch}`;
  return [{ kind: 'close', shard: local.shard, epoch: shard.epoch, reason }];
}

function promoteDuties(facts: AgentFacts): readonly Duty[] {
  if (facts.durability !== 'synchronous') {
    return [];
  }
  const silent = [...facts.verdicts.values()].filter((verdict) => verdict !== 'alive').length;
  if (silent > facts.members / 2) {
    // Whoever sees most of the cluster silent is more likely cut off itself.
    return [];
  }
  return facts.shards
    .filter((shard) => shard.follower === facts.nodeId && shard.state === 'in sync')
    .filter((shard) => facts.verdicts.get(shard.primary) === 'failed' && facts.agreed.has(shard.primary))
    .map((shard) => ({
      kind: 'promote',
      shard,
      reason: `${shard.primary} is silent, and this node is the synchronous follower of ${shard.id}`,
    }));
}

/** Every commit waits for each follower of the list: one that is gone is given up, by the same conditional write. */
function aloneDuties(facts: AgentFacts): readonly Duty[] {
  return facts.shards
    .filter((shard) => shard.primary === facts.nodeId && shard.state === 'in sync' && shard.follower !== null)
    .flatMap((shard) => {
      const follower = shard.follower ?? '';
      const name = replicationName(shard.id, shard.epoch);
      const misses = facts.confirming.includes(name) ? (facts.missesOf.get(name) ?? 0) : 0;
      const silent = facts.verdicts.get(follower) === 'failed';
      if (misses < (silent ? missesOfSilentFollower : missesOfLivingFollower)) {
        return [];
      }
      const reason = silent
        ? `follower ${follower} of ${shard.id} is silent and no longer streams`
        : `follower ${follower} of ${shard.id} answers but has not streamed for ${misses} looks`;
      return [{ kind: 'go on alone', shard, reason }];
    });
}

/** What the registry gives this node but its server does not accept yet: the agent died between the two. */
function openDuties(facts: AgentFacts): readonly Duty[] {
  return facts.shards
    .filter((shard) => shard.primary === facts.nodeId && (shard.state === 'in sync' || shard.state === 'single copy'))
    .flatMap((shard) => {
      const local = facts.local.find((candidate) => candidate.shard === shard.id);
      if (local === undefined || (local.writable && local.epoch >= shard.epoch)) {
        return [];
      }
      return [
        {
          kind: 'open',
          shard,
          reason: `the registry gives ${shard.id} to this node at epoch ${shard.epoch}; its server is at epoch ${local.epoch}`,
        },
      ];
    });
}

/**
 * Names of ended epochs would hold up every commit; names of followers in sync that are missing would release commits
 * that nobody confirmed. A name of the current epoch that is listed before its shard is in sync is a hand-over under way.
 */
function confirmDuty(facts: AgentFacts): readonly Duty[] {
  if (facts.durability !== 'synchronous') {
    return [];
  }
  const mine = facts.shards.filter((shard) => shard.primary === facts.nodeId);
  const names = mine
    .filter(
      (shard) =>
        shard.follower !== null &&
        (shard.state === 'in sync' || facts.confirming.includes(replicationName(shard.id, shard.epoch))),
    )
    .map((shard) => replicationName(shard.id, shard.epoch))
    .sort();
  const listed = [...facts.confirming].sort();
  if (names.length === listed.length && names.every((name, index) => name === listed[index])) {
    return [];
  }
  return [
    {
      kind: 'confirm by',
      names,
      reason: `commits here must be confirmed by ${names.join(', ') || 'nobody else'}; the server waits for ${listed.join(', ') || 'nobody'}`,
    },
  ];
}
