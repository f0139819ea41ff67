import { shardOfKey } from '../../core/cluster/names';
import { Lane, type LaneWorld } from './lane';
import type { LoadOrder, ShopLoad } from './load-process';
import { RandomSequence } from './random-sequence';
import { ordersPerCustomer, routingKey } from './schema';

/** Orders that one lane changes: few enough that every one is changed many times. */
const ordersPerLane = 200;
const customersPerLane = 200;

/** The clients of a shop: some for each shard, each with orders of its own. */
export function shopLanes(order: LoadOrder, data: ShopLoad, world: Omit<LaneWorld, 'random'>): readonly Lane[] {
  const ofShard = new Map<number, number[]>();
  for (let customer = 1; customer <= data.customers; customer += 1) {
    const shard = shardOfKey(routingKey(customer), data.shardCount);
    ofShard.set(shard, [...(ofShard.get(shard) ?? []).slice(0, customersPerLane * data.lanesPerShard), customer]);
  }
  const lanes = data.shardCount * data.lanesPerShard;
  return Array.from({ length: lanes }, (_, index) => {
    const shard = index % data.shardCount;
    const lane = Math.floor(index / data.shardCount);
    const customers = (ofShard.get(shard) ?? []).filter(
      (_customer, position) => position % data.lanesPerShard === lane,
    );
    const orders = customers.flatMap((customer) =>
      Array.from({ length: ordersPerCustomer }, (_order, k) => customer * 8 + k + 1),
    );
    const options = {
      shard,
      customers,
      orders: orders.slice(0, ordersPerLane),
      // Ids above every id that the data began with, a range for each lane.
      firstNewOrder: (data.customers + 1) * 8 + index * 10_000_000,
      pauseMs: (1_000 * lanes) / order.requestsPerSecond,
      database: order.database,
      localAddress: order.localAddress,
      user: order.user,
      password: order.password,
    };
    return new Lane(options, { ...world, random: new RandomSequence(order.seed * 1_000 + index) });
  });
}
