import type { NodeItem, Shard } from '../cluster/items';
import type { ClusterSettings, RecoveryPolicy } from '../cluster/settings';
import type { Peculiarity } from '../ports/database-engine';
import type { NodeJudgement } from './judge-node';
import { baseId } from './replacement';
import { shardsWithoutSurvivor, type ShardLoss } from './shard-loss';
import { triggerKind, type RecoveryInput } from './trigger';
import { inWords } from './witnesses';

/** All that is known when a recovery is decided. */
export interface RecoveryFacts {
  readonly input: RecoveryInput;
  readonly nowMs: number;
  readonly policy: Pick<RecoveryPolicy, 'minMinutesBetweenReplacements' | 'maxReplacementsPerDay'>;
  readonly layout: ClusterSettings['layout'];
  readonly judgement: Pick<NodeJudgement, 'verdict' | 'reason'>;
  /** The members that do not answer SQL, the node itself included. */
  readonly silent: readonly string[];
  readonly nodes: readonly NodeItem[];
  readonly shards: readonly Shard[];
  /** The other executions that run now. */
  readonly running: ReadonlySet<string>;
  /**
   * Of each shard without a survivor: what a backup would lose, or in words why that is not known. Null: no backup is
   * usable.
   */
  readonly losses: readonly (ShardLoss | string)[] | null;
  /** What the survivors' tables have that rows can't be restored with. */
  readonly refusedTables: readonly Peculiarity[];
}

/** The one thing to do about a node, and why. */
export type RecoveryDecision = Readonly<{ action: 'none' | 'refuse' | 'replace'; reason: string }>;

type Rule = (facts: RecoveryFacts) => RecoveryDecision | null;

/** In this order: what needs no action, then what would make things worse. The first rule that speaks decides. */
const rules: readonly Rule[] = [
  membership,
  someoneElse,
  condition,
  majority,
  antiFlap,
  standbys,
  twoCopies,
  survivors,
  preflight,
];

/** Decides whether a node is replaced. */
export function decideRecovery(facts: RecoveryFacts): RecoveryDecision {
  for (const rule of rules) {
    const decided = rule(facts);
    if (decided !== null) {
      return decided;
    }
  }
  return { action: 'replace', reason: facts.judgement.reason };
}

function membership({ input, nodes }: RecoveryFacts): RecoveryDecision | null {
  const node = nodes.find((candidate) => candidate.id === input.nodeId);
  if (node === undefined) {
    const members = membersOf(nodes).map((member) => member.id);
    return refuse(
      `node '${input.nodeId}' is not a member of cluster '${input.cluster}' (members: ${members.join(', ') || 'none'}); check 'nodeId' in the execution input`,
    );
  }
  if (node.state === 'retired') {
    return none(`${node.id} is retired: another node has taken its place`);
  }
  return null;
}

/** Two alarms about one node make one recovery. A builder that no longer runs left its work behind: go on. */
function someoneElse({ input, nodes, running }: RecoveryFacts): RecoveryDecision | null {
  const builder = nodes
    .filter((node) => baseId(node.id) === baseId(input.nodeId) && node.state !== 'retired')
    .map((node) => node.builder)
    .find((candidate) => candidate !== null && running.has(candidate));
  return builder === undefined ? null : none(`execution ${builder} already recovers ${input.nodeId}`);
}

function condition({ input, nodes, judgement }: RecoveryFacts): RecoveryDecision | null {
  if (input.planned) {
    return judgement.verdict === 'alive'
      ? null
      : refuse(`a planned replacement needs a node that answers: ${judgement.reason}; start again without 'planned'`);
  }
  if (judgement.verdict === 'alive') {
    return none(judgement.reason);
  }
  if (judgement.verdict === 'unknown') {
    return refuse(judgement.reason);
  }
  const node = nodes.find((candidate) => candidate.id === input.nodeId);
  return node?.state === 'building'
    ? none(`${node.id} was never in service: the execution that built it has ended and left it behind`)
    : null;
}

/** Its shards are never left with a single copy on purpose, so each needs two that answer to begin with (rule 16). */
function twoCopies({ layout, input, shards, silent }: RecoveryFacts): RecoveryDecision | null {
  const mine = shards.filter((shard) => shard.primary === input.nodeId || shard.follower === input.nodeId);
  const weak = mine.find(
    (shard) => shard.state !== 'in sync' || silent.includes(otherOwner(shard, input.nodeId) ?? ''),
  );
  if (layout === 'replicated' || !input.planned || weak === undefined) {
    return null;
  }
  const why =
    weak.state === 'in sync'
      ? `the other owner of ${weak.id}, ${otherOwner(weak, input.nodeId) ?? ''}, is silent`
      : `${weak.id} is '${weak.state}'`;
  return refuse(
    `${why}, and a planned replacement keeps two copies of each shard throughout; recover its other owner first`,
  );
}

function otherOwner(shard: Shard, nodeId: string): string | null {
  return shard.primary === nodeId ? shard.follower : shard.primary;
}

/** Whoever sees most of a cluster silent may itself be the one that is cut off. */
function majority({ nodes, silent }: RecoveryFacts): RecoveryDecision | null {
  const members = membersOf(nodes).map((member) => member.id);
  const quiet = members.filter((member) => silent.includes(member));
  return quiet.length * 2 > members.length
    ? refuse(`more than half the nodes are silent (${inWords(quiet)} of ${members.length})`)
    : null;
}

/** Rule 15. What a person starts is not automatic. */
function antiFlap({ input, nodes, nowMs, policy }: RecoveryFacts): RecoveryDecision | null {
  if (input.planned || triggerKind(input.trigger) === 'manual') {
    return null;
  }
  const replacements = nodes
    .flatMap((node) => node.replacedAtMs.map((atMs) => ({ nodeId: node.id, minutesAgo: (nowMs - atMs) / 60_000 })))
    .filter(({ minutesAgo }) => minutesAgo < 24 * 60)
    .sort((left, right) => left.minutesAgo - right.minutesAgo);
  const newest = replacements[0];
  const byHand = "check why it happens again, then start it with trigger 'manual'";
  if (newest !== undefined && newest.minutesAgo < policy.minMinutesBetweenReplacements) {
    return refuse(
      `${newest.nodeId} was replaced ${Math.floor(newest.minutesAgo)} min ago, and one automatic replacement in ${policy.minMinutesBetweenReplacements} min is allowed; ${byHand}`,
    );
  }
  return replacements.length >= policy.maxReplacementsPerDay
    ? refuse(
        `${replacements.length} nodes were replaced within a day, and ${policy.maxReplacementsPerDay} are allowed; ${byHand}`,
      )
    : null;
}

/** What physical standbys need: a machine with a volume, and a primary to stand behind. */
function standbys({ layout, input, nodes, shards, silent }: RecoveryFacts): RecoveryDecision | null {
  if (layout !== 'replicated') {
    return null;
  }
  const { cluster, nodeId, planned } = input;
  if (nodes.find((node) => node.id === nodeId)?.machineKind === 'rds') {
    return refuse(
      `cluster '${cluster}' is replicated, and ${nodeId} is an RDS instance: RDS replaces its replicas itself`,
    );
  }
  const primary = shards[0]?.primary;
  if (primary === nodeId) {
    return planned
      ? refuse(
          `${nodeId} is the primary of cluster '${cluster}': make another node the primary first, then start the planned replacement again`,
        )
      : null;
  }
  return primary === undefined || silent.includes(primary)
    ? refuse(
        `the primary ${primary ?? 'of the cluster'} is silent too, and ${nodeId} can only be made anew behind a primary; recover ${primary ?? 'it'} first`,
      )
    : null;
}

/** Without a living owner, only a backup is left, and it ends with the last capture of changes. */
function survivors({ layout, input, shards, silent, losses }: RecoveryFacts): RecoveryDecision | null {
  const lost = layout === 'replicated' || input.planned ? [] : shardsWithoutSurvivor(shards, input.nodeId, silent);
  const [first] = lost;
  if (first === undefined) {
    return null;
  }
  if (losses === null) {
    return refuse(`both owners of ${first.id} are silent, and there is no usable backup: bring one of them back first`);
  }
  const unknown = losses.find((loss) => typeof loss === 'string');
  if (unknown !== undefined) {
    return refuse(
      `both owners of ${first.id} are silent, and nobody knows how much a backup would lose: ${unknown}; bring one of them back first`,
    );
  }
  const known = losses.filter((loss) => typeof loss !== 'string');
  const [worst] = [...known].sort((left, right) => right.lossSeconds - left.lossSeconds);
  return worst === undefined || (input.acceptLossSeconds ?? -1) >= worst.lossSeconds
    ? null
    : refuse(
        `both owners of ${worst.shard} are silent: a backup would lose up to ${worst.lossSeconds} s; start again with acceptLossSeconds`,
      );
}

function preflight({ refusedTables }: RecoveryFacts): RecoveryDecision | null {
  const first = refusedTables[0];
  if (first === undefined) {
    return null;
  }
  const more = refusedTables.length > 1 ? ` (and ${refusedTables.length - 1} more)` : '';
  const what = first.reason.includes(first.object) ? first.reason : `${first.object} ${first.reason}`;
  return refuse(`${what}${more}${first.whatToDo === null ? '' : `; ${first.whatToDo}`}`);
}

function membersOf(nodes: readonly NodeItem[]): readonly NodeItem[] {
  return nodes.filter((node) => node.state === 'serving' || node.state === 'silent');
}

function none(reason: string): RecoveryDecision {
  return { action: 'none', reason };
}

function refuse(reason: string): RecoveryDecision {
  return { action: 'refuse', reason };
}
