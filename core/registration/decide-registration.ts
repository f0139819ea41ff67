import type { ClusterSettings } from '../cluster/settings';
import { differences, type Registered } from './compare-registered';
import { decideOwners, type NodeSurvey } from './decide-owners';
import { decideReplicated } from './decide-replicated';
import { namedOwners, shardIds, type OwnersInput } from './owners';
import type { PlannedShard } from './planned-shard';

/** What becomes of a cluster that somebody wants registered, and why. */
export interface RegistrationDecision {
  readonly action: 'none' | 'refuse' | 'register';
  readonly reason: string;
  /** Empty unless it is to be registered. */
  readonly shards: readonly PlannedShard[];
}

/** More reasons than these help nobody. */
const namedReasons = 10;

/** What the registry alone tells; null: the databases have to be asked. */
export function decideByRegistry(
  settings: ClusterSettings,
  owners: OwnersInput,
  registered: Registered | null,
): RegistrationDecision | null {
  if (registered === null) {
    return null;
  }
  const named = typeof owners === 'string' ? null : new Map(Object.entries(owners));
  const unlike = differences(settings, named, registered);
  if (unlike.length > 0) {
    return refuse([`cluster '${settings.name}' is registered already, with something else`, ...unlike]);
  }
  const { nodes, shards, meta } = registered;
  return {
    action: 'none',
    reason: `cluster '${settings.name}' is registered, with ${nodes.length} nodes and ${shards.length} shards, at epoch ${meta.epoch}`,
    shards: [],
  };
}

/** Decides by what the nodes said. All reasons against it are given at once. */
export function decideRegistration(
  settings: ClusterSettings,
  owners: OwnersInput,
  nodes: readonly NodeSurvey[],
): RegistrationDecision {
  const silent = nodes.filter((node) => node.silence !== null);
  if (silent.length > 0) {
    return refuse(silent.map(({ nodeId, silence }) => `${nodeId} does not answer: ${silence ?? ''}`));
  }
  if (settings.layout === 'replicated') {
    const { shards: whole, problems: against } = decideReplicated(owners, nodes);
    const reason = `${nodes.length} nodes answer; ${whole[0]?.primary ?? ''} is the primary, and each other node receives a log`;
    return against.length > 0 ? refuse(against) : { action: 'register', reason, shards: whole };
  }
  const { shardCount } = settings;
  const nodeIds = nodes.map((node) => node.nodeId);
  const { shards, problems } = decideOwners(shardIds(shardCount), namedOwners(owners, { shardCount, nodeIds }), nodes);
  const refused = nodes.flatMap((node) => node.refused.map((reason) => `${node.nodeId}: ${reason}`));
  const all = [...problems, ...refused];
  return all.length > 0
    ? refuse(all)
    : {
        action: 'register',
        reason: `${nodes.length} nodes answer; each of ${shardCount} shards has two owners`,
        shards,
      };
}

function refuse(reasons: readonly string[]): RegistrationDecision {
  const more = reasons.length - namedReasons;
  const named = reasons.slice(0, namedReasons).join('; ');
  return { action: 'refuse', reason: more > 0 ? `${named}; and ${more} more` : named, shards: [] };
}
