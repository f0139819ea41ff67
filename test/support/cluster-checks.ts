import { replacementAlarmName } from '../../core/alarms/alarm-names';
import type { NodeItem } from '../../core/cluster/items';
import { standbyName } from '../../core/cluster/names';
import { followName } from '../../core/node-recovery/ownership';
import type { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { ClusterSettings } from '../../core/cluster/settings';
import type { SimulatedDns } from './simulated-dns';
import type { SimulatedMachines } from './simulated-machines';
import type { SimulatedRegistry } from './simulated-registry';
import type { SimulatedServer, SimulatedServers } from './simulated-server';
import type { SimulatedStatusAlarms } from './simulated-status-alarms';

/** What is looked at. */
export interface CheckedWorld {
  readonly settings: ClusterSettings;
  readonly registry: ClusterRegistry;
  readonly store: SimulatedRegistry;
  readonly servers: SimulatedServers;
  readonly dns: SimulatedDns;
  readonly machines: SimulatedMachines;
  readonly statusAlarms: SimulatedStatusAlarms;
  readonly acknowledged: ReadonlyMap<string, readonly (string | null)[]>;
}

/** Acknowledged writes that whoever has to have them lacks, or has otherwise. */
export async function missingWrites(world: CheckedWorld): Promise<readonly string[]> {
  const { settings: cluster } = world;
  const shards = await world.registry.shards(cluster.name);
  const serving = (await world.registry.nodes(cluster.name)).filter(({ state }) => state === 'serving');
  const found: string[] = [];
  for (const [place, values] of world.acknowledged) {
    const [id = '', key = ''] = place.split(' ');
    const shard = shards.find((each) => each.id === id);
    const owners =
      world.settings.layout === 'replicated'
        ? serving.map((node) => node.id)
        : [shard?.primary, shard?.state === 'in sync' ? shard.follower : null];
    for (const owner of owners.flatMap((each) => each ?? [])) {
      const server = await serverOf(world, owner);
      if (!values.includes(server?.shards.get(id)?.rows.get(key)?.value ?? null)) {
        found.push(`${place} on ${owner}`);
      }
    }
  }
  return found;
}

/** What an ended recovery must not leave behind, and what must be there: in words, one line each. */
export async function leftoversOf(world: CheckedWorld): Promise<readonly string[]> {
  const { settings: cluster } = world;
  const shards = await world.registry.shards(cluster.name);
  const nodes = await world.registry.nodes(cluster.name);
  const found = nodes
    .filter((node) => node.state === 'building' || node.builder !== null)
    .map((node) => `${node.id} is ${node.state}, builder ${node.builder ?? 'none'}`);
  if ((await world.store.read({ pk: `CLUSTER#${cluster.name}`, sk: 'LEASE' })) !== null) {
    found.push('the lease is held');
  }
  for (const node of nodes.filter((each) => each.state === 'serving')) {
    const server = world.servers.at(world.dns.resolve(node.host));
    if (server?.answers === true) {
      const led = shards.filter((shard) => shard.primary === node.id && shard.follower !== null).map(followName);
      const followed = shards.filter((shard) => shard.follower === node.id).map(followName);
      found.push(...difference(`slots on ${node.id}`, led, server.slots.keys()));
      found.push(...difference(`subscriptions on ${node.id}`, followed, server.subscriptions.keys()));
      const names = cluster.durability === 'synchronous' ? led : [];
      found.push(...difference(`synchronous names on ${node.id}`, names, server.synchronous));
    }
  }
  found.push(...(await wrongStandbys(world, nodes)));
  const kept = nodes
    .filter((node) => node.state !== 'retired' && node.machineKind === 'ec2')
    .map((node) => node.machineId);
  const watched = nodes
    .filter((node) => node.state !== 'retired' && node.machineKind === 'ec2' && !(node.id in world.settings.nodes))
    .map((node) => replacementAlarmName(cluster.name, node.id, node.machineId));
  found.push(...difference('status alarms of replacements', watched, world.statusAlarms.names));
  const machines = await world.machines.list(cluster.name);
  found.push(
    ...difference(
      'machines',
      kept,
      machines.map((machine) => machine.machineId),
    ),
  );
  return found;
}

/** In a replicated cluster: serving nodes that don't stand behind the primary, and slots of others there. */
async function wrongStandbys(world: CheckedWorld, nodes: readonly NodeItem[]): Promise<readonly string[]> {
  if (world.settings.layout !== 'replicated') {
    return [];
  }
  const { primary } = await world.registry.shard(world.settings.name, 'shard_0000');
  const standbys = nodes.filter(({ id, state }) => state === 'serving' && id !== primary);
  const streaming = standbys.filter(({ host }) => {
    const server = world.servers.at(world.dns.resolve(host));
    return server !== null && world.servers.primaryOf(server) !== null;
  });
  // Of one that is silent and was not replaced, the slot stays: it may come back.
  const silent = nodes.filter(({ state }) => state === 'silent').map(({ id }) => standbyName(id));
  const slots = [...((await serverOf(world, primary))?.standbySlots ?? [])].filter((name) => !silent.includes(name));
  const names = standbys.map(({ id }) => id);
  return [
    ...difference(`slots of standbys on ${primary}`, names.map(standbyName), slots),
    ...difference(
      `standbys of ${primary} that stream`,
      names,
      streaming.map(({ id }) => id),
    ),
  ];
}

/** Shards that more than one living server accepts writes for. */
export function twoWriters(servers: SimulatedServers): readonly string[] {
  const counts = new Map<string, number>();
  for (const server of servers.all()) {
    for (const [id, shard] of server.answers ? server.shards : []) {
      counts.set(id, (counts.get(id) ?? 0) + (shard.writable && !server.standby ? 1 : 0));
    }
  }
  return [...counts].filter(([, writers]) => writers > 1).map(([id]) => id);
}

async function serverOf(world: CheckedWorld, nodeId: string): Promise<SimulatedServer | null> {
  return world.servers.at(world.dns.resolve((await world.registry.node(world.settings.name, nodeId)).host));
}

function difference(what: string, expected: readonly string[], got: Iterable<string>): readonly string[] {
  const [wanted, there] = [[...expected].sort().join(' '), [...got].sort().join(' ')];
  return wanted === there ? [] : [`${what}: expected [${wanted}], got [${there}]`];
}
