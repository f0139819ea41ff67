import { writeFileSync } from 'node:fs';
import { messageOf } from '../../core/errors';
import { shardOfKey } from '../../core/cluster/names';
import { ControlClient } from '../control/control-client';
import { resolve } from '../dns/resolve';
import type { Answer } from './figures';
import { Lane } from './lane';
import { Ledger } from './ledger';
import type { LoadOrder, LoadReport, ShopLoad } from './load-process';
import { RandomSequence } from './random-sequence';
import { ordersPerCustomer, routingKey } from './schema';
import { ShardMap } from './shard-map';

/** Orders that one lane changes: few enough that every one is changed many times. */
const ordersPerLane = 200;
const customersPerLane = 200;

/** Runs a load until told to stop, then writes what it was told by the databases. */
async function main(): Promise<void> {
  const order = JSON.parse(process.env['REJOIN_LOAD'] ?? '') as LoadOrder;
  const registry = new ControlClient({
    url: order.controlUrl,
    token: order.controlToken,
    nodeId: null,
    localAddress: order.localAddress,
  }).port('registry');
  const map = new ShardMap(registry, order.cluster, order.zone);
  await map.start();
  const answers: Answer[] = [];
  const failures = new Map<string, number>();
  let failed = 0;
  const ledger = new Ledger();
  const lanes = lanesOf(order, order.data).map(
    (options, index) =>
      new Lane(options, {
        map,
        ledger,
        random: new RandomSequence(order.seed * 1_000 + index),
        resolve: (hostName) => resolve(hostName, { server: order.dnsServer }),
        answered: (answer) => {
          answers.push(answer);
        },
        failed: (_shard, reason) => {
          failed += 1;
          failures.set(reason, (failures.get(reason) ?? 0) + 1);
        },
      }),
  );
  const progress = setInterval(() => process.send?.({ acknowledged: answers.length, failed }), 1_000);
  process.once('message', () => {
    for (const lane of lanes) {
      lane.stop();
    }
  });
  process.once('disconnect', () => process.exit(1));
  process.send?.({ acknowledged: 0, failed: 0 });
  await Promise.all(lanes.map((lane) => lane.run()));
  clearInterval(progress);
  map.stop();
  const report: LoadReport = { answers, failed, failures: [...failures].slice(0, 100), records: ledger.entries() };
  writeFileSync(order.reportFile, JSON.stringify(report));
  process.exit(0);
}

function lanesOf(order: LoadOrder, data: ShopLoad): ConstructorParameters<typeof Lane>[0][] {
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
    return {
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
  });
}

main().catch((thrown: unknown) => {
  process.stderr.write(`${messageOf(thrown)}\n`);
  process.exit(1);
});
