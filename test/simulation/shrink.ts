import type { Plan } from './plan';
import { simulate, type Plant, type RunResult } from './simulate';

/** More runs than this make no report better. */
const mostRuns = 60;

/**
 * Leaves faults out of a run that broke an invariant for as long as it still breaks that one: halves first, then one at a
 * time.
 *
 * @returns the run with the fewest faults that was found
 */
export async function shrink(found: RunResult, plant?: Plant): Promise<RunResult> {
  const invariant = found.violations[0]?.invariant;
  let best = found;
  let runs = 0;
  const without = async (first: number, count: number): Promise<boolean> => {
    const faults = best.plan.faults.filter((_fault, index) => index < first || index >= first + count);
    const plan: Plan = { ...best.plan, faults };
    runs += 1;
    const result = await simulate(plan, plant);
    const same = result.violations.some((violation) => violation.invariant === invariant);
    best = same ? result : best;
    return same;
  };
  let size = Math.ceil(best.plan.faults.length / 2);
  while (size >= 1) {
    for (let first = 0; first < best.plan.faults.length && runs < mostRuns;) {
      first = (await without(first, size)) ? first : first + size;
    }
    size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  return best;
}
