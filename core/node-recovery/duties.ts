import type { Shard } from '../cluster/items';
import type { ShardOnNode } from '../ports/database-engine';
import { decideFollowerLoss, decidePromotion, synchronousNames } from './ownership';
import { callFailed, type Verdict, type Witness } from './witnesses';

/** What one node's agent knows at one moment. */
export interface AgentFacts {
  readonly nodeId: string;
  readonly durability: 'synchronous' | 'asynchronous';
  /** What the registry says. */
  readonly shards: readonly Shard[];
  /** What this node's own server says; null when it did not answer. */
  readonly local: readonly ShardOnNode[] | null;
  /** The names in this server's synchronous list; null when it did not answer. */
  readonly confirming: readonly string[] | null;
  /** This agent's own opinion of each other member that is expected to answer. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** What every witness says of a member, this agent among them. */
  readonly witnessesOf: (nodeId: string) => readonly Witness[];
  readonly witnessesNeeded: number;
  /** How long a follower has neither answered nor streamed; 0 when it does both. */
  readonly silentForMs: (shard: Shard) => number;
}

/** Something an agent has to do now, and why. */
export type Duty =
  | { readonly kind: 'promote'; readonly shard: Shard; readonly reason: string }
  | { readonly kind: 'go on alone'; readonly shard: Shard; readonly reason: string }
  | { readonly kind: 'open'; readonly shard: Shard; readonly reason: string }
  | { readonly kind: 'close'; readonly shard: string; readonly epoch: number; readonly reason: string }
  /** The workflow has to fence its machine before anybody takes over. */
  | { readonly kind: 'announce'; readonly nodeId: string; readonly reason: string }
  | { readonly kind: 'confirm by'; readonly names: readonly string[]; readonly reason: string };

/**
 * What the agent of a node has to do, most urgent first. Equal facts give equal duties, and a duty that was done is gone
 * from the next answer, so that an agent that died in between goes on where it stopped.
 */
export function agentDuties(facts: AgentFacts): readonly Duty[] {
  const closing = closeDuties(facts);
  const others = [...ownershipDuties(facts), ...openDuties(facts), ...confirmDuty(facts), ...announceDuties(facts)];
  // A shorter list acknowledges commits that wait; those of a shard that belongs to another node must be ended before.
  const mayShorten = facts.local !== null && closing.length === 0;
  return mayShorten ? others : [...closing, ...others.filter((duty) => !shortensList(duty))];
}

function shortensList({ kind }: Duty): boolean {
  return kind === 'go on alone' || kind === 'confirm by';
}

/** A returning node finds that its shards went on elsewhere, and refuses writes from then on. */
function closeDuties(facts: AgentFacts): readonly Duty[] {
  return (facts.local ?? []).flatMap((local) => {
    const shard = facts.shards.find((candidate) => candidate.id === local.shard);
    if (!local.writable || shard === undefined || shard.primary === facts.nodeId) {
      return [];
    }
    const reason = `${shard.id} belongs to ${shard.primary} since epoch ${shard.epoch}; this node accepted writes at epoch ${local.epoch}`;
    return [{ kind: 'close', shard: local.shard, epoch: shard.epoch, reason } as const];
  });
}

/** Promotions and lost followers (rules 3 and 5): synchronous clusters only, for asynchronous ones need a machine fence. */
function ownershipDuties(facts: AgentFacts): readonly Duty[] {
  const silent = [...facts.verdicts.values()].filter((verdict) => verdict !== 'alive').length;
  // Whoever finds most of the cluster silent is more likely cut off itself.
  if (facts.durability !== 'synchronous' || silent > (facts.verdicts.size + 1) / 2) {
    return [];
  }
  return facts.shards.flatMap((shard): readonly Duty[] => {
    const view = { shard, by: facts.nodeId, witnessesNeeded: facts.witnessesNeeded };
    if (shard.follower === facts.nodeId) {
      const decision = decidePromotion({ ...view, witnesses: facts.witnessesOf(shard.primary) });
      return decision.action === 'promote' ? [{ kind: 'promote', shard, reason: decision.reason }] : [];
    }
    if (shard.primary === facts.nodeId && shard.follower !== null) {
      const witnesses = facts.witnessesOf(shard.follower);
      const decision = decideFollowerLoss({ ...view, witnesses, silentForMs: facts.silentForMs(shard) });
      return decision.action === 'drop follower' ? [{ kind: 'go on alone', shard, reason: decision.reason }] : [];
    }
    return [];
  });
}

/**
 * Asynchronous clusters: agents take nothing over, but they are the first to see that a node is gone. Once enough of them
 * agree, they say so, again and again until the workflow has marked it.
 */
function announceDuties(facts: AgentFacts): readonly Duty[] {
  const silent = [...facts.verdicts].filter(([, verdict]) => verdict === 'failed');
  if (facts.durability !== 'asynchronous' || silent.length > (facts.verdicts.size + 1) / 2) {
    return [];
  }
  return silent.flatMap(([nodeId]): readonly Duty[] => {
    const witnesses = facts.witnessesOf(nodeId);
    const against = witnesses.filter((witness) => witness.verdict === 'failed');
    const doubted = witnesses.some((witness) => witness.verdict === 'alive');
    return doubted || against.length < facts.witnessesNeeded
      ? []
      : [{ kind: 'announce', nodeId, reason: callFailed(against, nodeId) }];
  });
}

/** What the registry gives this node but its server does not accept yet: the agent died between the two. */
function openDuties(facts: AgentFacts): readonly Duty[] {
  return facts.shards
    .filter((shard) => shard.primary === facts.nodeId && shard.state !== 'moving')
    .flatMap((shard) => {
      const local = facts.local?.find((candidate) => candidate.shard === shard.id);
      if (local === undefined || (local.writable && local.epoch >= shard.epoch)) {
        return [];
      }
      const reason = `the registry gives ${shard.id} to this node at epoch ${shard.epoch}; its server is at epoch ${local.epoch}${local.writable ? '' : ', closed'}`;
      return [{ kind: 'open', shard, reason }];
    });
}

/** Names of ended epochs would hold up every commit; a missing one would release commits that nobody confirmed. */
function confirmDuty(facts: AgentFacts): readonly Duty[] {
  if (facts.durability !== 'synchronous' || facts.confirming === null) {
    return [];
  }
  const names = synchronousNames(facts.nodeId, facts.shards);
  const listed = [...facts.confirming].sort();
  if (names.length === listed.length && names.every((name, index) => name === listed[index])) {
    return [];
  }
  const reason = `commits here must be confirmed by ${names.join(', ') || 'nobody else'}; the server waits for ${listed.join(', ') || 'nobody'}`;
  return [{ kind: 'confirm by', names, reason }];
}
