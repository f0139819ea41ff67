import { shardId, shardOfKey } from '../../../core/cluster/names';
import { rowSession, withSession } from '../../../engines/postgresql/connection';
import { identifier } from '../../../engines/postgresql/identifier';
import { rowsPerCustomer, routingKey, shopGrants, shopRows, shopTables } from '../../load/schema';
import { ordersOf } from './content';
import type { RehearsedData } from './rehearsed-data';

/** How many customers make up about so many rows. */
function customersFor(rows: number): number {
  return Math.ceil(rows / rowsPerCustomer);
}

/** Customers with orders and their lines, over all shards by the customer. */
/** Measured with 100,000 rows: 1,600 for both owners' copies and the replacement's. */
const bytesPerRow = 2_400;
const copiesOfShards = 3;
const lanesOfAll = 8;
/** Compressed. */
const backupBytesPerRow = 100;

export function shopData(size: { readonly rows: number; readonly shards: number }): RehearsedData {
  const customers = customersByShard(size);
  return {
    making: `makes ${size.shards} shards with ${size.rows.toLocaleString('en')} rows on two owners each`,
    shardCount: size.shards,
    space: { machineBytes: size.rows * bytesPerRow, runBytes: size.rows * backupBytesPerRow },
    fill: async ({ source, owner, applicationRole }, shard) => {
      await withSession(source, owner, rowSession, async (client) => {
        await client.query(shopTables(shard));
        for (const { text } of shopRows(shard)) {
          await client.query(text, [customers.get(shard) ?? []]);
        }
        await client.query(shopGrants(shard, applicationRole));
      });
      return [shard];
    },
    load: () => ({ kind: 'shop', shardCount: size.shards, customers: customersFor(size.rows), lanesPerShard: 2 }),
    victim: (nodes, seed) => nodes[seed % nodes.length],
    harmlessWrite: (shard) => {
      const customersTable = `${identifier(shard)}.customers`;
      return `UPDATE ${customersTable} SET balance = balance WHERE id = (SELECT min(id) FROM ${customersTable})`;
    },
    words: { row: 'order', state: 'version' },
    stateOf: (server, shard) => ordersOf(server, shard.id),
    notes: () => [],
  };
}

/** The same in one shard on every node: more clients for it, and the primary is the node whose loss stops writes. */
export function replicatedShop({ rows, nodes }: { readonly rows: number; readonly nodes: number }): RehearsedData {
  const shop = shopData({ rows, shards: 1 });
  // The nodes, a replacement, a snapshot and what it is made of.
  const copies = nodes + 3;
  return {
    ...shop,
    making: `makes ${rows.toLocaleString('en')} rows on one node, and standbys of it`,
    space: { ...shop.space, machineBytes: (shop.space.machineBytes / copiesOfShards) * copies },
    load: () => ({ kind: 'shop', shardCount: 1, customers: customersFor(rows), lanesPerShard: lanesOfAll }),
    victim: ([primary]) => primary,
  };
}

function customersByShard(size: {
  readonly rows: number;
  readonly shards: number;
}): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (let customer = 1; customer <= customersFor(size.rows); customer += 1) {
    const shard = shardId(shardOfKey(routingKey(customer), size.shards));
    const ids = found.get(shard) ?? [];
    ids.push(customer);
    found.set(shard, ids);
  }
  return found;
}
