import * as z from 'zod';
import { nameSchema } from '../cluster/settings';
import type { Witness } from './witnesses';

/**
 * Who started a recovery: a person (`manual`), an alarm on its heartbeats (`alarm`), an event or a failed check of the machine API
 * (`machine`), or the agent of a node (`agent:node-2`).
 */
export const triggerSchema = z
  .string()
  .regex(
    /^(manual|alarm|machine|agent:[a-z][a-z0-9-]{0,39})$/,
    "use 'manual', 'alarm', 'machine' or 'agent:' and the id of the node whose agent calls",
  );

export type TriggerKind = 'manual' | 'alarm' | 'machine' | 'agent';

export function triggerKind(trigger: string): TriggerKind {
  return trigger.startsWith('agent:') ? 'agent' : (triggerSchema.parse(trigger) as TriggerKind);
}

/** What the trigger itself says of the node. It shares its name with the voice that it comes from. */
export function triggerWitness(trigger: string): Witness {
  switch (triggerKind(trigger)) {
    case 'manual':
      return { name: 'the operator', verdict: 'failed', detail: 'started the recovery' };
    case 'alarm':
      return { name: 'alarm', verdict: 'failed', detail: 'its heartbeats are missing' };
    case 'machine':
      return { name: 'machine API', verdict: 'failed', detail: 'reported a change of state, or a failed check' };
    case 'agent':
      return { name: `agent ${trigger.slice('agent:'.length)}`, verdict: 'failed', detail: 'reported it as silent' };
  }
}

/** The input of an execution. */
export const recoveryInputSchema = z.strictObject({
  cluster: nameSchema,
  nodeId: nameSchema,
  trigger: triggerSchema,
  /** Seconds of acknowledged writes that may be lost where no owner is left; null: none. */
  acceptLossSeconds: z.number().min(0).nullable().default(null),
  /** Whether a living node is replaced on purpose. */
  planned: z.boolean().default(false),
});
export type RecoveryInput = z.infer<typeof recoveryInputSchema>;
