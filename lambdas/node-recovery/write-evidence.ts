import * as z from 'zod';
import {
  events,
  evidence,
  executions,
  metrics,
  notifications,
  registry,
  settings,
  stepPorts,
} from '../../adapters/ports';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { isRejoinError } from '../../core/errors';
import { buildEvidence, evidenceKey, type Evidence } from '../../core/evidence/evidence';
import { renderEvidence } from '../../core/evidence/page';
import { endingOf, failureSchema } from '../../core/node-recovery/endings';
import { recoveryFindings, restoredSchema } from '../../core/node-recovery/recovery-evidence';
import { outcomes, type Ending } from '../../core/outcome/outcome';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Events, Executions, Metrics, MetricValue, Notifications, Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly evidence: Objects;
  readonly executions: Pick<Executions, 'visits'>;
  readonly notifications: Notifications;
  readonly metrics: Pick<Metrics, 'publish'>;
  readonly events: Events;
}

const inputSchema = z.strictObject({
  /** As they came, for an execution may also fail because they were wrong. */
  cluster: z.string(),
  nodeId: z.string(),
  trigger: z.string(),
  /** The execution's start, as the state machine knows it: ISO 8601. */
  startedAt: z.string(),
  outcome: z.enum(outcomes),
  /** Null where the failure says it all. */
  reason: z.string().nullable(),
  failure: failureSchema.nullable(),
  shards: z.array(z.string()),
  lost: z.array(z.string()),
  replacement: z.object({ nodeId: z.string() }).nullable(),
  restored: restoredSchema.nullable(),
});
type Input = z.infer<typeof inputSchema>;

export type Written = Readonly<{ outcome: Ending['outcome']; reason: string; evidenceKey: string }>;

/**
 * Writes the record of an execution, as a document and as a page, and tells whoever wants to know. Writing it again writes
 * the same; only a notification may arrive twice.
 */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'write-evidence', input: inputSchema, effect: 'changes' },
    async (input, { run }): Promise<Written> => {
      const ending = endingOf(input.outcome, input.reason, input.failure);
      const [records, visits, context] = await Promise.all([
        ports.ledger.all(run),
        ports.executions.visits(run.machine, run.execution),
        readCluster(ports, input.cluster),
      ]);
      const startedAtMs = Date.parse(input.startedAt);
      const document = buildEvidence({
        run,
        cluster: input.cluster,
        subject: input.nodeId,
        trigger: input.trigger,
        ending,
        startedAtMs,
        endedAtMs: ports.clock.nowMs(),
        records,
        visits,
        ...recoveryFindings({
          nodeId: input.nodeId,
          replacement: input.replacement?.nodeId ?? null,
          outcome: ending.outcome,
          startedAtMs,
          recovered: input.shards,
          lost: input.lost,
          records,
          visits,
          restored: input.restored,
          ...context,
        }),
      });
      const key = evidenceKey(input.cluster, run, 'html');
      await ports.evidence.write(evidenceKey(input.cluster, run, 'json'), Buffer.from(JSON.stringify(document)), {
        contentType: 'application/json',
      });
      await ports.evidence.write(key, Buffer.from(renderEvidence(document)), { contentType: 'text/html' });
      await tell(ports, input, document, key);
      return { outcome: ending.outcome, reason: ending.reason, evidenceKey: key };
    },
  );

/** A cluster that does not exist is one of the things that an execution can fail with. */
async function readCluster(ports: Pick<Ports, 'registry' | 'settings'>, cluster: string) {
  try {
    const [{ durability, layout }, shards] = await Promise.all([
      ports.settings.cluster(cluster),
      new ClusterRegistry(ports.registry).shards(cluster),
    ]);
    return { durability, layout, shards };
  } catch (thrown) {
    if (!isRejoinError(thrown, 'NotFound')) {
      throw thrown;
    }
    return { durability: 'asynchronous' as const, layout: 'sharded' as const, shards: [] };
  }
}

async function tell(ports: Ports, input: Input, document: Evidence, key: string): Promise<void> {
  const { outcome, reason, cluster } = document;
  const dimensions = { Cluster: cluster, Outcome: outcome };
  const durations = Object.entries(document.milestonesMs).flatMap(([name, value]) =>
    value === null || value < 0
      ? []
      : [
          {
            name: `TimeTo${name.charAt(0).toUpperCase()}${name.slice(1)}`,
            unit: 'Milliseconds' as const,
            value,
            dimensions: { Cluster: cluster },
          },
        ],
  );
  const passes: MetricValue[] =
    input.restored === null
      ? []
      : [{ name: 'Passes', unit: 'Count', value: input.restored.passes.length, dimensions: { Cluster: cluster } }];
  await ports.metrics.publish([{ name: 'Recoveries', unit: 'Count', value: 1, dimensions }, ...durations, ...passes]);
  await ports.events.publish({
    type: 'RecoveryEnded',
    cluster,
    detail: { nodeId: input.nodeId, execution: document.execution, outcome, reason, evidence: key },
  });
  await ports.notifications.publish({
    subject: `${cluster}: ${input.nodeId} ${outcome}`.slice(0, 100),
    body: `${reason}\n\nExecution: ${document.execution}\nEvidence: ${key}\n`,
  });
}

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  evidence: evidence(),
  executions: executions(),
  notifications: notifications(),
  metrics: metrics(),
  events: events(),
});
