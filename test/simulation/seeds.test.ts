import { drawPlan, type Plan } from './plan';
import { simulate } from './simulate';

const cutOff: Partial<Plan> = {
  layout: 'sharded',
  durability: 'synchronous',
  snapshot: true,
  victim: 'node-2',
  beginning: 'cut off',
  agentShare: 0,
  agentsFirst: false,
  writesPerStep: 4,
  latencyShare: 0,
};

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
  [
    'an order to open a shard, late by minutes, opened it again on the primary that it had moved away from: two writers',
    174,
    {
      ...cutOff,
      shards: 3,
      writeShare: 0.05,
      faults: [
        { kind: 'slow call', at: 11, delayMs: 5_000 },
        { kind: 'kill step', at: 14, when: 'after' },
        { kind: 'kill step', at: 18, when: 'before' },
        { kind: 'slow call', at: 24, delayMs: 400_000 },
      ],
    },
  ],
  [
    'a look that was given up overwrote the later one that had found the machine stopped: evidence without its fence',
    196,
    {
      ...cutOff,
      shards: 4,
      writeShare: 0,
      agentsFirst: true,
      faults: [{ kind: 'slow call', at: 20, delayMs: 20_000 }],
    },
  ],
];

test.each(found)('%s (seed %d)', async (_what, seed, run) => {
  const result = await simulate({ ...drawPlan(seed, ['sharded']), ...run });
  expect(result.violations).toEqual([]);
});
