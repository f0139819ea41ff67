import { ClusterRegistry, databaseOf } from '../../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../../core/cluster/items';
import { shardId } from '../../../core/cluster/names';
import type { ClusterSettings } from '../../../core/cluster/settings';
import { followName, synchronousNames } from '../../../core/node-recovery/ownership';
import type { DatabaseAddress, DatabaseEngine } from '../../../core/ports/database-engine';
import type { Registry } from '../../../core/ports/registry';

export interface ClusterOrder {
  readonly cluster: Pick<ClusterSettings, 'name' | 'database' | 'durability'>;
  readonly nodes: readonly NodeItem[];
  readonly shardCount: number;
  /** Puts equal tables and rows of a shard on one of its owners; resolves with the schemas that they are in. */
  readonly fill: (owner: DatabaseAddress, shard: string) => Promise<readonly string[]>;
}

export interface ClusterWorld {
  readonly registry: Registry;
  readonly engine: DatabaseEngine;
}

/** The owners that a shard begins with: primaries go round, and each node's followers are spread over all others. */
export function firstOwners(shard: number, nodes: number): { readonly primary: number; readonly follower: number } {
  const primary = shard % nodes;
  return { primary, follower: (primary + 1 + (Math.floor(shard / nodes) % (nodes - 1))) % nodes };
}

/**
 * Makes a sharded cluster out of empty servers: tables and equal rows on both owners of each shard, native replication
 * between them, synchronous commits, and the registry's items.
 */
export async function makeCluster(world: ClusterWorld, order: ClusterOrder): Promise<void> {
  const shards: Shard[] = [];
  const waiting = Array.from({ length: order.shardCount }, (_, number) => number);
  const worker = async (): Promise<void> => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) {
      shards.push(await makeShard(world, order, number));
    }
  };
  // Two at a time: more only makes them wait for each other's disk.
  await Promise.all([worker(), worker()]);
  // Where commits wait for nobody, there is no list.
  for (const node of order.cluster.durability === 'asynchronous' ? [] : order.nodes) {
    await world.engine.setSynchronousFollowers(databaseOf(order.cluster, node), synchronousNames(node.id, shards));
  }
  await register(world, order, shards);
}

async function makeShard(world: ClusterWorld, order: ClusterOrder, number: number): Promise<Shard> {
  const owners = firstOwners(number, order.nodes.length);
  const [primary, follower] = [addressOf(order, owners.primary), addressOf(order, owners.follower)];
  const id = shardId(number);
  // One after the other: what the first can't take, the second is spared.
  const schemas = [...(await order.fill(primary, id))];
  await order.fill(follower, id);
  const shard: Shard = {
    id,
    schemas,
    epoch: 1,
    primary: primary.nodeId,
    follower: follower.nodeId,
    version: 1,
    state: 'in sync',
    fence: null,
  };
  for (const address of [primary, follower]) {
    await world.engine.installShard(address, { shard: id, schemas, epoch: 1, writable: address === primary });
  }
  const name = followName(shard);
  const from = await world.engine.openSlot(primary, { slot: name, shard: id, schemas });
  await world.engine.follow(follower, { name, shard: id, primary, from });
  return shard;
}

async function register(world: ClusterWorld, order: ClusterOrder, shards: readonly Shard[]): Promise<void> {
  const clusters = new ClusterRegistry(world.registry);
  const { name } = order.cluster;
  await clusters.add(name, {
    kind: 'META',
    value: { name, engine: 'postgresql', layout: 'sharded', shardCount: order.shardCount, epoch: 1 },
  });
  await Promise.all(order.nodes.map((node) => clusters.add(name, { kind: 'NODE', value: node })));
  await Promise.all(shards.map((shard) => clusters.add(name, { kind: 'SHARD', value: shard })));
}

function addressOf(order: ClusterOrder, index: number): DatabaseAddress {
  const node = order.nodes[index];
  if (node === undefined) {
    throw new RangeError(`no node ${index}`);
  }
  return databaseOf(order.cluster, node);
}
