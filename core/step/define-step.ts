import { createHash } from 'node:crypto';
import * as z from 'zod';
import { messageOf, RejoinError } from '../errors';
import type { Json } from '../json';
import type { Lease, Leases } from '../lease/lease';
import type { Run, RunLedger, StepRecord } from '../ledger/run-ledger';
import type { Clock } from '../ports/clock';

/** What every step needs beside its own ports. */
export interface StepPorts {
  readonly clock: Clock;
  readonly ledger: RunLedger;
  readonly leases: Leases;
}

/** What a state gives its Lambda: which run and state it is, and the step's own input. */
export const stepEventSchema = z.strictObject({
  run: z.strictObject({ machine: z.string().min(1), execution: z.string().min(1), state: z.string().min(1) }),
  input: z.json(),
});
export type StepEvent = z.infer<typeof stepEventSchema>;

/** What a step may know of the call that it serves. */
export interface StepContext {
  readonly run: Run;
  readonly state: string;
  /** The same for the same execution, state and target: an effect with this token happens once. At most 64 characters. */
  clientToken(target: string): string;
  /** How long this call may still take. */
  remainingMs(): number;
}

export interface StepOptions<Input> {
  /** The step's file name. */
  readonly name: string;
  /** Use a strict object: an unknown field is an error that names it. */
  readonly input: z.ZodType<Input>;
  /**
   * `changes`: the answer is kept, and a replay of the same state with the same input returns it without doing anything.
   * `reads`: done anew each time; the newest answer is kept for the evidence only.
   */
  readonly effect: 'changes' | 'reads';
  /** The lease without which the step must not act; null: none. Checked before anything else is done. */
  readonly lease?: (input: Input) => Lease | null;
}

/** The part of a Lambda context that steps use. */
export interface CallContext {
  getRemainingTimeInMillis(): number;
}

export type StepHandler<Output> = (event: unknown, call?: CallContext) => Promise<Output>;

/**
 * A step: parses its event, decides, acts through ports, returns small JSON. Safe to call twice: the first answer of a
 * step that changes something is returned again.
 *
 * @throws InvalidInput when the event does not fit, naming each field that doesn't
 * @throws LeaseLost when the step needs a lease that its execution no longer holds
 */
export function defineStep<Input, Output extends Json>(
  ports: StepPorts,
  options: StepOptions<Input>,
  act: (input: Input, context: StepContext) => Promise<Output>,
): StepHandler<Output> {
  return async (event, call) => {
    const { run, input: given } = parse(options.name, stepEventSchema, event);
    const input = parse(options.name, options.input, given);
    const context = contextOf(run, call);
    const earlier = await ports.ledger.read(context.run, run.state, given);
    if (options.effect === 'changes' && earlier?.ok === true) {
      return earlier.result as Output;
    }
    const which = options.effect === 'changes' ? 'first' : 'newest';
    const lease = options.lease?.(input) ?? null;
    if (lease !== null) {
      await ports.leases.check(lease);
    }
    const begun: Pick<StepRecord, 'state' | 'step' | 'startedAtMs' | 'attempts'> = {
      state: run.state,
      step: options.name,
      startedAtMs: earlier?.startedAtMs ?? ports.clock.nowMs(),
      attempts: (earlier?.attempts ?? 0) + 1,
    };
    try {
      const result = await act(input, context);
      const done: StepRecord = { ...begun, endedAtMs: ports.clock.nowMs(), ok: true, result, error: null };
      await ports.ledger.keep(context.run, given, done, which);
      return result;
    } catch (thrown) {
      const error = `${thrown instanceof Error ? thrown.name : 'Error'}: ${messageOf(thrown)}`;
      await ports.ledger
        .keep(context.run, given, { ...begun, endedAtMs: ports.clock.nowMs(), ok: false, result: null, error }, which)
        // The step's own error matters more than that it could not be noted.
        .catch(() => undefined);
      throw thrown;
    }
  };
}

function contextOf(run: StepEvent['run'], call: CallContext | undefined): StepContext {
  return {
    run: { machine: run.machine, execution: run.execution },
    state: run.state,
    clientToken: (target) =>
      createHash('sha256')
        .update(JSON.stringify([run.machine, run.execution, run.state, target]))
        .digest('hex'),
    remainingMs: () => call?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY,
  };
}

function parse<T>(step: string, schema: z.ZodType<T>, given: unknown): T {
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.length === 0 ? 'input' : issue.path.join('.')}: ${issue.message}`,
    );
    throw new RejoinError('InvalidInput', `step '${step}' can't use its input: ${problems.join('; ')}`);
  }
  return parsed.data;
}
