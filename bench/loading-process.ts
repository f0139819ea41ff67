import { lz4 } from '../adapters/codec';
import { systemClock } from '../adapters/system-clock';
import { Leases } from '../core/lease/lease';
import { RunLedger } from '../core/ledger/run-ledger';
import { postgresRows } from '../engines/postgresql/rows/rows';
import { makeStep } from '../lambdas/restore/load-chunk';
import { LocalObjects } from '../local/objects/local-objects';
import { peakMemoryBytes } from '../local/processes/peak-memory';
import { clusterSettings } from '../test/support/cluster-settings';
import { SimulatedRegistry } from '../test/support/simulated-registry';
import type { LoadingOrder, LoadingReport } from './restore-memory';

/** Calls the step for each item, one after the other, and reports the peak of this process. */
async function load({ target, credentials, objects, bucket, items }: LoadingOrder): Promise<LoadingReport> {
  const registry = new SimulatedRegistry();
  const step = makeStep({
    clock: systemClock,
    ledger: new RunLedger(registry, systemClock),
    leases: new Leases(registry, systemClock),
    registry,
    settings: { cluster: async () => clusterSettings({ database: target.database }) },
    backups: new LocalObjects(objects, bucket),
    databases: postgresRows({ credentials: async () => credentials, certificateAuthority: async () => null }),
    codec: lz4,
  });
  const replacement = {
    nodeId: target.nodeId,
    machineId: 'i-1',
    machineKind: 'ec2',
    host: target.host,
    port: target.port,
  };
  for (const item of items) {
    await step({
      run: { machine: 'node-recovery', execution: `restore-${item.number}`, state: 'Load the rows' },
      input: { cluster: target.cluster, execution: 'restore', attempt: 1, replacement, item, from: 'the item' },
    });
  }
  return { peakMegabytes: Math.round(peakMemoryBytes() / 1_048_576) };
}

process.once('message', (order: LoadingOrder) => {
  void load(order).then((report) => {
    process.send?.(report);
    process.disconnect();
  });
});
