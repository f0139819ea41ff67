import * as z from 'zod';
import { watchedBy } from '../alarms/alarm-names';
import { nameSchema } from '../cluster/settings';
import { RejoinError } from '../errors';
import { eventSource } from '../events/event-envelope';

const scheduleSchema = z.strictObject({
  trigger: z.literal('schedule'),
  machine: z.string().min(1),
  cluster: nameSchema,
});

const manualSchema = z.strictObject({
  trigger: z.literal('manual'),
  machine: z.literal('node-recovery'),
  cluster: nameSchema,
  nodeId: nameSchema,
  acceptLossSeconds: z.number().min(0).nullable().default(null),
  planned: z.boolean().default(false),
});

// What AWS sends has more fields, and may get others at any time.
const alarmEventSchema = z.object({
  source: z.literal('aws.cloudwatch'),
  detail: z.object({ alarmName: z.string(), state: z.object({ value: z.string() }) }),
});
const machineEventSchema = z.object({
  source: z.literal('aws.ec2'),
  detail: z.object({ 'instance-id': z.string(), state: z.string() }),
});
const managedEventSchema = z.object({
  source: z.literal('aws.rds'),
  detail: z.object({ SourceIdentifier: z.string(), Message: z.string().default('') }),
});
const agentEventSchema = z.object({
  source: z.literal(eventSource),
  'detail-type': z.enum(['ShardsPromoted', 'NodeSilent']),
  detail: z.object({ cluster: nameSchema, nodeId: nameSchema, by: nameSchema }),
});

/** What the starter is called with: an event as EventBridge delivers it, a schedule's constant, or a person's wish. */
const starterEventSchema = z.union([
  scheduleSchema,
  manualSchema,
  alarmEventSchema,
  machineEventSchema,
  managedEventSchema,
  agentEventSchema,
]);
export type StarterEvent = z.infer<typeof starterEventSchema>;

/**
 * Takes what the starter was called with. What a schedule or a person sends is ours, so each of its fields is judged.
 *
 * @throws InvalidInput naming the fields that are wrong, or the events that there are
 */
export function readStarterEvent(event: unknown): StarterEvent {
  const parsed = starterEventSchema.safeParse(event);
  if (parsed.success) {
    return parsed.data;
  }
  const trigger = (event as { readonly trigger?: unknown } | null)?.trigger;
  const wish = trigger === 'manual' ? manualSchema : trigger === 'schedule' ? scheduleSchema : null;
  if (wish === null) {
    throw new RejoinError(
      'InvalidInput',
      `the starter does not know this event: ${JSON.stringify(event).slice(0, 500)}; it takes alarm, EC2, RDS and agent events, {trigger: 'schedule', machine, cluster} and {trigger: 'manual', machine, cluster, nodeId}`,
      { cause: parsed.error },
    );
  }
  const problems = (wish.safeParse(event).error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.') || 'event'}: ${message}`,
  );
  throw new RejoinError(
    'InvalidInput',
    `the starter can't use this event: ${problems.join('; ')}; fields of trigger '${String(trigger)}': ${Object.keys(wish.shape).join(', ')}`,
    { cause: parsed.error },
  );
}

/** What an event is about, in our words. */
export type Occasion =
  | { readonly kind: 'schedule'; readonly machine: string; readonly cluster: string }
  | {
      readonly kind: 'manual';
      readonly cluster: string;
      readonly nodeId: string;
      readonly acceptLossSeconds: number | null;
      readonly planned: boolean;
    }
  /** `member` is the place of a node in its cluster: `node-3` also when `node-3-r1` has taken it. */
  | { readonly kind: 'alarm'; readonly cluster: string; readonly member: string }
  /** The machine API's own checks, by way of an alarm. It is about that node's machine, and nobody's who came after it. */
  | { readonly kind: 'machine alarm'; readonly cluster: string; readonly nodeId: string }
  | { readonly kind: 'machine'; readonly machineId: string; readonly what: string }
  | {
      readonly kind: 'promoted' | 'silent';
      readonly cluster: string;
      readonly nodeId: string;
      readonly by: string;
    }
  | { readonly kind: 'irrelevant'; readonly reason: string };

/** Instance states of which a serving node is not in one. */
const stoppedStates = ['stopping', 'stopped', 'shutting-down', 'terminated'];

export function occasionOf(event: StarterEvent): Occasion {
  if ('trigger' in event) {
    const { trigger: kind, ...order } = event;
    return { kind, ...order } as Occasion;
  }
  switch (event.source) {
    case 'aws.cloudwatch':
      return alarmOccasion(event.detail.alarmName, event.detail.state.value);
    case 'aws.ec2':
      return stoppedStates.includes(event.detail.state)
        ? { kind: 'machine', machineId: event.detail['instance-id'], what: event.detail.state }
        : { kind: 'irrelevant', reason: `machine ${event.detail['instance-id']} is ${event.detail.state}` };
    case 'aws.rds':
      return { kind: 'machine', machineId: event.detail.SourceIdentifier, what: event.detail.Message };
    case eventSource:
      return {
        kind: event['detail-type'] === 'ShardsPromoted' ? 'promoted' : 'silent',
        cluster: event.detail.cluster,
        nodeId: event.detail.nodeId,
        by: event.detail.by,
      };
  }
}

function alarmOccasion(alarmName: string, state: string): Occasion {
  const watched = watchedBy(alarmName);
  if (watched === null) {
    return { kind: 'irrelevant', reason: `alarm '${alarmName}' is about no node` };
  }
  if (state !== 'ALARM') {
    return { kind: 'irrelevant', reason: `alarm '${alarmName}' is in state ${state}` };
  }
  const { what, cluster, node } = watched;
  return what === 'status'
    ? { kind: 'machine alarm', cluster, nodeId: node }
    : { kind: 'alarm', cluster, member: node };
}
