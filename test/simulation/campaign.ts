import { deployedNodeRecovery } from '../support/simulated-cluster';
import { Coverage, partsOf, type MachineParts } from './coverage';
import { drawPlan, inWords, type Layout, type Plan } from './plan';
import { shrink } from './shrink';
import { simulate, type RunResult } from './simulate';
import type { Invariant } from './watch';

export interface CampaignOptions {
  /** Of the first run; each next run has the next one. */
  readonly seed: number;
  readonly runs: number;
  readonly layouts: readonly Layout[];
  /** Numbers of the faults to keep, from 1, for every run; null: all. */
  readonly faults: readonly number[] | null;
}

export interface FoundViolation {
  readonly seed: number;
  readonly invariant: Invariant;
  readonly detail: string;
  /** The fewest that were found to break it. */
  readonly faults: readonly string[];
  /** Numbers of those faults among all of the seed's, as `--faults` takes them. */
  readonly faultNumbers: readonly number[];
  readonly trace: readonly string[];
}

export interface CoverageReport {
  /** `reached/all`. */
  readonly states: string;
  readonly catches: string;
  readonly notReached: { readonly states: readonly string[]; readonly catches: readonly string[] };
}

export interface CampaignReport {
  readonly workflow: 'node-recovery';
  /** How many were run, which is fewer than asked for where somebody stopped it. */
  readonly runs: number;
  readonly seed: number;
  readonly violations: readonly FoundViolation[];
  readonly outcomes: Readonly<Record<string, number>>;
  readonly coverage: CoverageReport;
  readonly runsPerSecond: number;
}

export interface CampaignHooks {
  readonly signal: AbortSignal;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly onRun: (done: number, violations: number) => void;
  readonly onTrace: (trace: readonly string[]) => void;
}

/** More than this many violations say nothing new. */
const mostViolations = 20;

/** The plan of a seed, with some of its faults only. */
export function planOf(seed: number, { layouts, faults }: Pick<CampaignOptions, 'layouts' | 'faults'>): Plan {
  const plan = drawPlan(seed, layouts);
  return faults === null
    ? plan
    : { ...plan, faults: plan.faults.filter((_fault, index) => faults.includes(index + 1)) };
}

/** Runs one seed after the other; a run that breaks an invariant is shrunk and reported, and the next ones go on. */
export async function runCampaign(options: CampaignOptions, hooks: CampaignHooks): Promise<CampaignReport> {
  // Synthesis takes seconds, once, and is none of the runs' time.
  const parts = partsOf(deployedNodeRecovery().machine.definition);
  const coverage = new Coverage();
  const outcomes: Record<string, number> = {};
  const violations: FoundViolation[] = [];
  const startedAtMs = hooks.nowMs();
  let runs = 0;
  while (runs < options.runs && !hooks.signal.aborted && violations.length < mostViolations) {
    const result = await simulate(planOf(options.seed + runs, options));
    runs += 1;
    hooks.onTrace(result.trace);
    coverage.add(result.coverage);
    for (const outcome of result.outcomes) {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    if (result.violations.length > 0) {
      violations.push(await violationOf(result, options));
    }
    hooks.onRun(runs, violations.length);
  }
  const seconds = (hooks.nowMs() - startedAtMs) / 1_000;
  return {
    workflow: 'node-recovery',
    runs,
    seed: options.seed,
    violations,
    outcomes,
    coverage: coverageReport(parts, coverage),
    runsPerSecond: Math.round((runs / seconds) * 10) / 10,
  };
}

async function violationOf(found: RunResult, options: CampaignOptions): Promise<FoundViolation> {
  const shortest = await shrink(found);
  const all = drawPlan(found.plan.seed, options.layouts).faults.map(inWords);
  const faults = shortest.plan.faults.map(inWords);
  const [first] = shortest.violations;
  if (first === undefined) {
    throw new Error(`seed ${found.plan.seed} breaks nothing when it is run again: the simulation is not deterministic`);
  }
  return {
    seed: found.plan.seed,
    ...first,
    faults,
    faultNumbers: faults.map((fault) => all.indexOf(fault) + 1),
    trace: shortest.trace,
  };
}

function coverageReport(all: MachineParts, seen: Coverage): CoverageReport {
  const states = all.states.filter((name) => !seen.states.has(name));
  const catches = all.catches.filter((name) => !seen.catches.has(name));
  return {
    states: `${all.states.length - states.length}/${all.states.length}`,
    catches: `${all.catches.length - catches.length}/${all.catches.length}`,
    notReached: { states, catches },
  };
}
