import type { Client } from 'pg';
import { ClusterRegistry, databaseOf } from '../../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../../core/cluster/items';
import { shardId, shardOfKey } from '../../../core/cluster/names';
import { followName, synchronousNames } from '../../../core/node-recovery/ownership';
import type { DatabaseAddress, DatabaseEngine } from '../../../core/ports/database-engine';
import type { Registry } from '../../../core/ports/registry';
import { type ConnectionSource, rowSession, withSession } from '../../../engines/postgresql/connection';
import { rowsPerCustomer, routingKey, shopGrants, shopRows, shopTables } from '../../load/schema';

export interface ShopOrder {
  readonly cluster: { readonly name: string; readonly database: string };
  readonly nodes: readonly NodeItem[];
  readonly shardCount: number;
  readonly rows: number;
  /** The role of the application. */
  readonly applicationRole: string;
}

export interface ShopWorld {
  readonly registry: Registry;
  readonly engine: DatabaseEngine;
  readonly source: ConnectionSource;
}

/** How many customers make up about so many rows. */
export function customersFor(rows: number): number {
  return Math.ceil(rows / rowsPerCustomer);
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
export async function makeShop(world: ShopWorld, order: ShopOrder): Promise<void> {
  const customers = customersByShard(order);
  const shards = Array.from({ length: order.shardCount }, (_, number) => firstShard(order, number));
  // Two at a time: more only makes them wait for each other's disk.
  const waiting = [...shards];
  const worker = async (): Promise<void> => {
    for (let shard = waiting.shift(); shard !== undefined; shard = waiting.shift()) {
      await makeShard(world, order, shard, customers.get(shard.id) ?? []);
    }
  };
  await Promise.all([worker(), worker()]);
  for (const node of order.nodes) {
    await world.engine.setSynchronousFollowers(databaseOf(order.cluster, node), synchronousNames(node.id, shards));
  }
  await register(world, order, shards);
}

async function makeShard(
  world: ShopWorld,
  order: ShopOrder,
  shard: Shard,
  customers: readonly number[],
): Promise<void> {
  const primary = addressOf(order, shard.primary);
  const follower = addressOf(order, shard.follower ?? shard.primary);
  for (const address of [primary, follower]) {
    await withSession(world.source, address, rowSession, (client) =>
      fill(client, shard.id, order.applicationRole, customers),
    );
    await world.engine.installShard(address, {
      shard: shard.id,
      schemas: shard.schemas,
      epoch: shard.epoch,
      writable: address === primary,
    });
  }
  const name = followName(shard);
  const from = await world.engine.openSlot(primary, { slot: name, shard: shard.id, schemas: shard.schemas });
  await world.engine.follow(follower, { name, shard: shard.id, primary, from });
}

async function fill(
  client: Client,
  schema: string,
  applicationRole: string,
  customers: readonly number[],
): Promise<void> {
  await client.query(shopTables(schema));
  for (const { text } of shopRows(schema)) {
    await client.query(text, [customers]);
  }
  await client.query(shopGrants(schema, applicationRole));
}

async function register(world: ShopWorld, order: ShopOrder, shards: readonly Shard[]): Promise<void> {
  const clusters = new ClusterRegistry(world.registry);
  const { name } = order.cluster;
  await clusters.add(name, {
    kind: 'META',
    value: { name, engine: 'postgresql', layout: 'sharded', shardCount: order.shardCount, epoch: 1 },
  });
  await Promise.all(order.nodes.map((node) => clusters.add(name, { kind: 'NODE', value: node })));
  await Promise.all(shards.map((shard) => clusters.add(name, { kind: 'SHARD', value: shard })));
}

function firstShard(order: ShopOrder, number: number): Shard {
  const owners = firstOwners(number, order.nodes.length);
  const id = shardId(number);
  return {
    id,
    schemas: [id],
    epoch: 1,
    primary: order.nodes[owners.primary]?.id ?? '',
    follower: order.nodes[owners.follower]?.id ?? '',
    version: 1,
    state: 'in sync',
    fence: null,
  };
}

function addressOf(order: ShopOrder, nodeId: string): DatabaseAddress {
  const node = order.nodes.find((candidate) => candidate.id === nodeId);
  if (node === undefined) {
    throw new RangeError(`no node '${nodeId}'`);
  }
  return databaseOf(order.cluster, node);
}

function customersByShard(order: ShopOrder): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (let customer = 1; customer <= customersFor(order.rows); customer += 1) {
    const shard = shardId(shardOfKey(routingKey(customer), order.shardCount));
    const ids = found.get(shard) ?? [];
    ids.push(customer);
    found.set(shard, ids);
  }
  return found;
}
