import { runCampaign } from './campaign';
import { drawPlan } from './plan';
import { simulate } from './simulate';

const layouts = ['sharded', 'replicated'] as const;

describe('the simulation', () => {
  it.each([1, 7, 86])('replays seed %d line by line', async (seed) => {
    const [first, second] = [await simulate(drawPlan(seed, layouts)), await simulate(drawPlan(seed, layouts))];
    expect(first.trace.length).toBeGreaterThan(5);
    expect(second.trace).toEqual(first.trace);
  });

  it('draws another run from another seed', async () => {
    const [first, second] = [await simulate(drawPlan(1, layouts)), await simulate(drawPlan(2, layouts))];
    expect(second.trace).not.toEqual(first.trace);
  });

  it('breaks no invariant in 100 runs', async () => {
    const options = { seed: 1, runs: 100, layouts, faults: null };
    const report = await runCampaign(options, {
      signal: new AbortController().signal,
      nowMs: () => performance.now(),
      onRun: () => undefined,
      onTrace: () => undefined,
    });
    const found = report.violations.map(({ seed, invariant, detail }) => `seed ${seed}: ${invariant}: ${detail}`);
    expect(found).toEqual([]);
    expect(report.runs).toBe(100);
  }, 120_000);
});
