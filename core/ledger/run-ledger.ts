import { createHash } from 'node:crypto';
import * as z from 'zod';
import { isRejoinError } from '../errors';
import type { Json, JsonObject } from '../json';
import type { Clock } from '../ports/clock';
import type { Registry } from '../ports/registry';

/** One execution of one state machine. */
export interface Run {
  /** The workflow's name, such as `node-recovery`. */
  readonly machine: string;
  readonly execution: string;
}

const stepRecordSchema = z.strictObject({
  state: z.string(),
  step: z.string(),
  startedAtMs: z.number(),
  endedAtMs: z.number(),
  /** How often the step was begun; more than 1 when it was retried or replayed. */
  attempts: z.number().int(),
  ok: z.boolean(),
  /** What the step answered; null when it failed. */
  result: z.json(),
  /** The error's name and message when it failed; null otherwise. */
  error: z.string().nullable(),
});

/** What is kept of one step of a run: evidence for people, and the answer for a replay. */
export type StepRecord = Omit<z.infer<typeof stepRecordSchema>, 'result'> & { readonly result: Json };

const keptForMs = 90 * 24 * 3_600_000;

/**
 * Keeps each step's answer, so that a step that runs twice gives the same answer twice, and so that the evidence can say
 * what each step did. Items: `RUN#<machine>/<execution>` / `STEP#<state>#<digest of its input>`.
 */
export class RunLedger {
  constructor(
    private readonly registry: Registry,
    private readonly clock: Clock,
  ) {}

  async read(run: Run, state: string, input: Json): Promise<StepRecord | null> {
    const value = await this.registry.read({ pk: partition(run), sk: stepKey(state, input) });
    return value === null ? null : stepRecordSchema.parse(value);
  }

  /**
   * Keeps a record. `first`: a success is never overwritten, for it is the answer that the execution saw. `newest`: for
   * steps that only read, and so may answer differently each time; the write of an earlier attempt that comes late is
   * dropped, for its `attempts` say what it had found.
   */
  async keep(run: Run, input: Json, record: StepRecord, which: 'first' | 'newest'): Promise<void> {
    const key = { pk: partition(run), sk: stepKey(record.state, input) };
    // A JSON round trip drops `undefined`, which the registry does not know.
    const value = JSON.parse(JSON.stringify(record)) as JsonObject;
    try {
      await this.registry.write([
        {
          kind: 'put',
          key,
          value,
          when: { absentOrEquals: which === 'first' ? { ok: false } : { attempts: record.attempts - 1 } },
          expiresAtMs: this.clock.nowMs() + keptForMs,
        },
      ]);
    } catch (thrown) {
      if (!isRejoinError(thrown, 'ConditionFailed')) {
        throw thrown;
      }
    }
  }

  /** All records of a run in the order in which they began. */
  async all(run: Run): Promise<readonly StepRecord[]> {
    const items = await this.registry.list(partition(run), 'STEP#');
    return items
      .map((item) => stepRecordSchema.parse(item.value))
      .sort((left, right) => left.startedAtMs - right.startedAtMs);
  }
}

function partition(run: Run): string {
  return `RUN#${run.machine}/${run.execution}`;
}

function stepKey(state: string, input: Json): string {
  return `STEP#${state}#${createHash('sha256').update(canonical(input)).digest('hex').slice(0, 16)}`;
}

/** JSON with the keys of objects in order, so that equal inputs have equal digests. */
function canonical(value: Json): string {
  return JSON.stringify(value, (_key, inner: Json) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : 1)))
      : inner,
  );
}
