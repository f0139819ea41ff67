import { drawPlan, type Plan } from './plan';
import { simulate } from './simulate';

/**
 * What the simulation has found, a line each: the run with the fewest faults that showed it. Faults are written out, for
 * what a seed draws changes with the kinds of faults that there are.
 */
const found: readonly (readonly [what: string, seed: number, run: Partial<Plan>])[] = [
  [
    'the replacement of a node without shards never became a member: it stayed building, watched by nobody',
    13,
    { layout: 'sharded', shards: 2, durability: 'asynchronous', victim: 'node-4', beginning: 'dead', faults: [] },
  ],
];

test.each(found)('%s (seed %d)', async (_what, seed, run) => {
  const result = await simulate({ ...drawPlan(seed, ['sharded']), ...run });
  expect(result.violations).toEqual([]);
});
