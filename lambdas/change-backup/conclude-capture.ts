import * as z from 'zod';
import { executions, metrics, registry, stepPorts } from '../../adapters/ports';
import { captureMetrics } from '../../core/backup/capture-metrics';
import { capturedSchema, type Captured } from '../../core/backup/captured';
import { decideLineages, lineageBackupName } from '../../core/backup/decide-lineages';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { leaseSchema } from '../../core/lease/lease';
import type { Registry } from '../../core/ports/registry';
import type { Executions, Metrics } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly executions: Pick<Executions, 'start' | 'running'>;
  readonly metrics: Pick<Metrics, 'publish'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  lease: leaseSchema,
  captured: z.array(capturedSchema),
});

/**
 * Gives the lease back, says how much log the slots hold back and how old the newest backup is, and starts a full backup where a shard's changes are captured nowhere. A cluster that never had a
 * backup gets its first one by this.
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'conclude-capture', input: inputSchema, effect: 'changes' }, async (input) => {
    const { cluster } = input;
    const clusters = new ClusterRegistry(ports.registry);
    const recoveries = await ports.executions.running('node-recovery');
    const decision = decideLineages({
      shards: await clusters.shards(cluster),
      slots: await clusters.slots(cluster),
      recovering: recoveries.some((name) => name.startsWith(`${cluster}-`)),
      nowMs: ports.clock.nowMs(),
    });
    const fullBackup = decision.action === 'none' ? null : lineageBackupName(cluster, ports.clock.nowMs());
    if (fullBackup !== null) {
      await ports.executions.start({ machine: 'full-backup', name: fullBackup, input: { cluster } });
    }
    await ports.leases.release(input.lease);
    const values = captureMetrics(cluster, input.captured, await clusters.backups(cluster), ports.clock.nowMs());
    if (values.length > 0) {
      await ports.metrics.publish(values);
    }
    const missed = input.captured.filter((slot) => slot.state === 'not captured');
    return {
      ok: missed.length === 0,
      reason: missed.length === 0 ? decision.reason : inWords(missed),
      fullBackup,
      segments: input.captured.reduce((sum, slot) => sum + slot.segments, 0),
      rows: input.captured.reduce((sum, slot) => sum + slot.rows, 0),
      bytes: input.captured.reduce((sum, slot) => sum + slot.bytes, 0),
    };
  });

function inWords(missed: readonly Captured[]): string {
  const [first] = missed;
  return `the changes of ${missed.map((slot) => slot.shard).join(', ')} were not captured: ${first?.reason ?? 'no reason given'}`;
}

export const handler = makeStep({ ...stepPorts(), registry: registry(), executions: executions(), metrics: metrics() });
