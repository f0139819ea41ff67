import { databaseOf } from '../cluster/cluster-registry';
import type { ClusterMeta, NodeItem, Shard } from '../cluster/items';
import type { ClusterSettings } from '../cluster/settings';
import { RejoinError } from '../errors';
import type { DatabaseAddress } from '../ports/database-engine';
import type { Owners } from './owners';

/** What the registry has of a cluster. */
export interface Registered {
  readonly meta: ClusterMeta;
  readonly nodes: readonly NodeItem[];
  readonly shards: readonly Shard[];
}

/** A node as rejoin.yaml describes it, serving. */
export function nodesOf(settings: ClusterSettings): readonly NodeItem[] {
  return Object.entries(settings.nodes).map(([id, { site, host, machine }]) => ({
    id,
    site,
    machineKind: machine.kind,
    machineId: machine.kind === 'ec2' ? machine.instanceId : machine.instanceIdentifier,
    host,
    port: settings.port,
    state: 'serving',
    builder: null,
    replacedAtMs: [],
  }));
}

/** Where the database server of a node of rejoin.yaml answers. @throws NotFound */
export function nodeAddress(settings: ClusterSettings, nodeId: string): DatabaseAddress {
  const node = nodesOf(settings).find((each) => each.id === nodeId);
  if (node === undefined) {
    const there = Object.keys(settings.nodes).join(', ');
    throw new RejoinError(
      'NotFound',
      `rejoin.yaml has no node '${nodeId}' in cluster '${settings.name}' (nodes: ${there})`,
    );
  }
  return databaseOf(settings, node);
}

/** How a registered cluster differs from what is asked for; nothing: it is the same. */
export function differences(
  settings: ClusterSettings,
  named: ReadonlyMap<string, Owners> | null,
  registered: Registered,
): readonly string[] {
  const { meta, nodes, shards } = registered;
  const given = { engine: settings.engine, layout: settings.layout, shardCount: settings.shardCount };
  const ofCluster = (['engine', 'layout', 'shardCount'] as const)
    .filter((field) => meta[field] !== given[field])
    .map((field) => `${field} is ${meta[field]} in the registry and ${given[field]} in rejoin.yaml`);
  const ofNodes = nodesOf(settings).flatMap((node) => {
    const there = nodes.find((each) => each.id === node.id);
    if (there === undefined) {
      return [`node ${node.id} is in rejoin.yaml and not in the registry; this version adds no nodes`];
    }
    return (['site', 'machineKind', 'machineId', 'host', 'port'] as const)
      .filter((field) => there[field] !== node[field])
      .map((field) => `${field} of ${node.id} is ${there[field]} in the registry and ${node[field]} in rejoin.yaml`);
  });
  // Owners change with each recovery: only who names them wants to hear of it.
  const ofOwners = [...(named ?? [])].flatMap(([id, owners]) => {
    const there = shards.find((shard) => shard.id === id);
    return there?.primary === owners.primary && there.follower === owners.follower
      ? []
      : [`${id} is owned by ${there?.primary ?? 'nobody'} and ${there?.follower ?? 'nobody'} in the registry`];
  });
  return [...ofCluster, ...ofNodes, ...ofOwners];
}
