import { writeFileSync } from 'node:fs';
import { messageOf } from '../../core/errors';
import { ControlClient } from '../control/control-client';
import { resolve } from '../dns/resolve';
import type { Answer } from './figures';
import { Ledger } from './ledger';
import type { LoadOrder, LoadReport } from './load-process';
import { shopLanes } from './shop-lanes';
import { ShardMap } from './shard-map';
import { Refusals } from './tables/judge-write';
import { tableLanes } from './tables/table-lanes';

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
  const refusals = new Refusals();
  const world = {
    map,
    ledger,
    resolve: (hostName: string) => resolve(hostName, { server: order.dnsServer }),
    answered: (answer: Answer) => {
      answers.push(answer);
    },
    failed: (_shard: number, reason: string) => {
      failed += 1;
      failures.set(reason, (failures.get(reason) ?? 0) + 1);
    },
  };
  const { lanes, notes } =
    order.data.kind === 'shop'
      ? { lanes: shopLanes(order, order.data, world), notes: [] }
      : await tableLanes(order, order.data, { ...world, refusals });
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
  const report: LoadReport = {
    answers,
    failed,
    failures: [...failures].slice(0, 100),
    refused: refusals.total,
    refusals: refusals.entries().slice(0, 100),
    notes,
    records: ledger.entries(),
  };
  writeFileSync(order.reportFile, JSON.stringify(report));
  process.exit(0);
}

main().catch((thrown: unknown) => {
  process.stderr.write(`${messageOf(thrown)}\n`);
  process.exit(1);
});
