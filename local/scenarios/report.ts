import type { Check, PassEvidence } from '../../core/evidence/evidence';
import type { Outcome } from '../../core/outcome/outcome';
import type { Latency } from '../load/figures';

/** How long a blackout's parts took; null: not reached, or not measured. */
export interface BlackoutParts {
  /** From the kill to the first suspicion that led to the promotion. */
  readonly detectMs: number | null;
  /** Until a second witness agreed and the agent decided. */
  readonly decideMs: number | null;
  /** Until no apply worker was left that could confirm the old primary. */
  readonly fenceMs: number | null;
  /** Until the conditional write was won and the shard open. */
  readonly promoteMs: number | null;
  /** Until a client's write was acknowledged by the new primary. */
  readonly rerouteMs: number | null;
}

/** What a rehearsal gives to programs: one JSON object. */
export interface RehearsalReport {
  readonly scenario: string;
  readonly fault: string;
  readonly outcome: Outcome;
  readonly reason: string;
  /** From the kill, in milliseconds; null: not reached. */
  readonly timingsMs: {
    readonly detected: number | null;
    readonly fenced: number | null;
    readonly trafficRestored: number | null;
    readonly inSync: number | null;
    readonly joined: number | null;
  };
  readonly passes: readonly PassEvidence[];
  readonly rows: {
    readonly restored: number | null;
    readonly owned: number | null;
    readonly outsideOwnership: number | null;
  };
  readonly checks: readonly Check[];
  readonly load: {
    readonly acknowledged: number;
    readonly failed: number;
    /** Writes that the data itself does not allow, by its constraints and triggers. */
    readonly refused: number;
    readonly p50Ms: Phases;
    readonly p99Ms: Phases;
    readonly blackoutMs: number | null;
    readonly blackoutParts: BlackoutParts;
  };
  readonly evidencePath: string | null;
  /** What is worth knowing beside the checks: what was passed over in a dump, what the load leaves alone. */
  readonly notes: readonly string[];
  readonly seed: number;
}

export interface Phases {
  readonly before: number | null;
  readonly during: number | null;
  readonly after: number | null;
}

/** The latencies of three phases, turned around so that each percentile stands together. */
export function phases(
  before: Latency,
  during: Latency,
  after: Latency,
): { readonly p50Ms: Phases; readonly p99Ms: Phases } {
  return {
    p50Ms: { before: before.p50Ms, during: during.p50Ms, after: after.p50Ms },
    p99Ms: { before: before.p99Ms, during: during.p99Ms, after: after.p99Ms },
  };
}

/** Whether everything that had to hold did. */
export function held(report: RehearsalReport): boolean {
  return report.checks.length > 0 && report.checks.every((check) => check.ok);
}
