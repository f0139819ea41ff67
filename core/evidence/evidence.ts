import * as z from 'zod';
import { fenceSchema } from '../cluster/items';
import type { Json, JsonObject } from '../json';
import type { Run, StepRecord } from '../ledger/run-ledger';
import { outcomes, type Ending } from '../outcome/outcome';
import type { StateVisit } from '../ports/surroundings';

const passSchema = z.strictObject({
  number: z.number().int(),
  segments: z.number().int(),
  rows: z.number().int(),
  bytes: z.number().int(),
  /** Log left after the pass; null when it was not known. */
  lagBytes: z.number().nullable(),
  durationMs: z.number(),
});
export type PassEvidence = z.infer<typeof passSchema>;

const checkSchema = z.strictObject({ name: z.string(), ok: z.boolean(), expected: z.string(), got: z.string() });
export type Check = z.infer<typeof checkSchema>;

/** Milliseconds since the execution began; null: not reached, or not known. */
const milestonesSchema = z.strictObject({
  fenced: z.number().nullable(),
  trafficRestored: z.number().nullable(),
  inSync: z.number().nullable(),
  joined: z.number().nullable(),
});
export type Milestones = z.infer<typeof milestonesSchema>;

/** The record that an execution leaves: one JSON document, from which one page is made. */
export const evidenceSchema = z.strictObject({
  format: z.literal(1),
  machine: z.string(),
  execution: z.string(),
  cluster: z.string(),
  subject: z.string(),
  trigger: z.string(),
  outcome: z.enum(outcomes),
  reason: z.string(),
  startedAtMs: z.number(),
  endedAtMs: z.number(),
  milestonesMs: milestonesSchema,
  /** The most that was lost, in seconds of acknowledged writes; 0 when durability excludes it; null when unknown. */
  recoveryPointSeconds: z.number().nullable(),
  states: z.array(z.strictObject({ state: z.string(), enteredAtMs: z.number(), exitedAtMs: z.number().nullable() })),
  steps: z.array(
    z.strictObject({
      state: z.string(),
      startedAtMs: z.number(),
      endedAtMs: z.number(),
      attempts: z.number().int(),
      ok: z.boolean(),
      error: z.string().nullable(),
    }),
  ),
  decisions: z.array(z.strictObject({ atMs: z.number(), state: z.string(), what: z.string(), reason: z.string() })),
  fences: z.array(z.strictObject({ of: z.string(), fence: fenceSchema })),
  passes: z.array(passSchema),
  checks: z.array(checkSchema),
  /** Counts that the workflow names itself, such as `rows restored`. */
  figures: z.array(z.strictObject({ name: z.string(), value: z.number().nullable(), unit: z.string() })),
});
export type Evidence = z.infer<typeof evidenceSchema>;

/** What is known when an execution ends. */
export interface EvidenceFacts {
  readonly run: Run;
  readonly cluster: string;
  /** What the execution was about: a node's id, or the cluster's name. */
  readonly subject: string;
  readonly trigger: string;
  readonly ending: Ending;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly milestonesMs: Milestones;
  readonly recoveryPointSeconds: number | null;
  readonly records: readonly StepRecord[];
  readonly visits: readonly StateVisit[];
  readonly fences: Evidence['fences'];
  readonly passes: readonly PassEvidence[];
  readonly checks: readonly Check[];
  readonly figures: Evidence['figures'];
}

/** Puts an execution's facts into the order in which they happened. Decisions are the answers that carry a reason. */
export function buildEvidence(facts: EvidenceFacts): Evidence {
  const { run, ending, records, visits, ...rest } = facts;
  return {
    format: 1,
    machine: run.machine,
    execution: run.execution,
    cluster: rest.cluster,
    subject: rest.subject,
    trigger: rest.trigger,
    outcome: ending.outcome,
    reason: ending.reason,
    startedAtMs: rest.startedAtMs,
    endedAtMs: rest.endedAtMs,
    milestonesMs: rest.milestonesMs,
    recoveryPointSeconds: rest.recoveryPointSeconds,
    states: visits.map(({ state, enteredAtMs, exitedAtMs }) => ({ state, enteredAtMs, exitedAtMs })),
    steps: records.map(({ state, startedAtMs, endedAtMs, attempts, ok, error }) => ({
      state,
      startedAtMs,
      endedAtMs,
      attempts,
      ok,
      error,
    })),
    decisions: records.flatMap(decisionOf),
    fences: rest.fences,
    passes: [...rest.passes],
    checks: [...rest.checks],
    figures: rest.figures,
  };
}

function decisionOf(record: StepRecord): Evidence['decisions'] {
  if (!isObject(record.result) || typeof record.result['reason'] !== 'string') {
    return [];
  }
  const what = ['action', 'verdict', 'kind', 'outcome']
    .map((field) => (record.result as JsonObject)[field])
    .find((value) => typeof value === 'string');
  return [{ atMs: record.endedAtMs, state: record.state, what: what ?? 'noted', reason: record.result['reason'] }];
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Where an execution's evidence is kept: `<cluster>/<machine>/<execution>.<ending>`. */
export function evidenceKey(cluster: string, run: Run, ending: 'json' | 'html'): string {
  return `${cluster}/${run.machine}/${run.execution}.${ending}`;
}
