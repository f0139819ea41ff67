import fc from 'fast-check';
import {
  decideNextPass,
  passesRemembered,
  passRatio,
  summarizePass,
  type ShardPass,
} from '../../../core/restore/convergence';

const policy = { enoughLagBytes: 16_777_216, enoughPassMs: 5_000, maxPassRatio: 0.9, maxPasses: 20 };
const bytesPerRow = 200;

function pass(given: Partial<ShardPass> = {}): ShardPass {
  return {
    shard: 'shard_0003',
    segments: 1,
    rows: 100,
    bytes: 20_000,
    appliedBytes: 20_000,
    gainedBytes: 1_000,
    lagBytes: 1_000,
    durationMs: 100,
    complete: true,
    ...given,
  };
}

/** Passes over a shard whose rows come in at `w` and are applied at `a` rows/s, each cut off after `limitMs`. */
function simulate(start: { rows: number; w: number; a: number; limitMs: number }): {
  readonly passes: ShardPass[];
  readonly decision: ReturnType<typeof decideNextPass>;
} {
  const { w, a, limitMs } = start;
  const passes: ShardPass[] = [];
  let waiting = start.rows;
  for (;;) {
    const rows = Math.min(waiting, Math.floor((a * limitMs) / 1_000));
    const durationMs = (rows * 1_000) / a;
    const gained = Math.floor((w * durationMs) / 1_000);
    const complete = rows === waiting;
    waiting = waiting - rows + gained;
    passes.push(
      pass({
        rows,
        durationMs,
        complete,
        appliedBytes: rows * bytesPerRow,
        gainedBytes: gained * bytesPerRow,
        lagBytes: waiting * bytesPerRow,
      }),
    );
    const remembered = passes.slice(-passesRemembered).map((each) => [each]);
    const decision = decideNextPass(remembered, passes.length, policy);
    if (decision.action !== 'another pass') {
      return { passes, decision };
    }
  }
}

test('a short pass that leaves little lag is enough', () => {
  expect(decideNextPass([[pass()]], 1, policy)).toEqual({
    action: 'enough',
    reason: 'after pass 1 no shard lags more than 1000 bytes',
  });
});

test.each([
  ['too much lag', { lagBytes: 16_777_217 }],
  ['too long', { durationMs: 5_001 }],
  ['cut off', { complete: false }],
])('%s: another pass follows', (_name, given) => {
  expect(decideNextPass([[pass(given), pass({ shard: 'shard_0007' })]], 1, policy)).toMatchObject({
    action: 'another pass',
    reason: expect.stringContaining('shard_0003') as unknown,
  });
});

test('rows that come in faster than they are applied end it, naming both rates', () => {
  const { decision, passes } = simulate({ rows: 500_000, w: 21_000, a: 18_000, limitMs: 900_000 });
  expect(decision).toEqual({
    action: 'not converging',
    reason: 'shard_0003 gains 21,000 rows/s, applies 18,000',
  });
  expect(passes).toHaveLength(3);
});

test('the same when no pass ends in its time', () => {
  const { decision, passes } = simulate({ rows: 100_000_000, w: 21_000, a: 18_000, limitMs: 900_000 });
  expect(decision.reason).toBe('shard_0003 gains 21,000 rows/s, applies 18,000');
  expect(passes.every((each) => !each.complete)).toBe(true);
});

test('long passes that are cut off go on while more is applied than comes in', () => {
  const { decision, passes } = simulate({ rows: 60_000_000, w: 2_000, a: 20_000, limitMs: 900_000 });
  expect(decision.action).toBe('enough');
  expect(passes.filter((each) => !each.complete).length).toBeGreaterThanOrEqual(2);
});

test('one pass that did not shrink is no verdict', () => {
  const slow = { durationMs: 60_000, lagBytes: 50_000_000 };
  const passes = [pass({ ...slow, rows: 1_000 }), pass({ ...slow, rows: 990 }), pass({ ...slow, rows: 500 })];
  expect(
    decideNextPass(
      passes.map((each) => [each]),
      3,
      policy,
    ).action,
  ).toBe('another pass');
});

test('the last pass that is allowed decides', () => {
  const slow = (rows: number): ShardPass[] => [pass({ rows, durationMs: 60_000, lagBytes: 50_000_000 })];
  const passes = [slow(8_000), slow(4_000), slow(2_000)];
  expect(decideNextPass(passes, 19, policy).action).toBe('another pass');
  expect(decideNextPass(passes, 20, policy)).toMatchObject({
    action: 'not converging',
    reason: expect.stringMatching(/^20 passes were not enough: shard_0003 gains 33 rows\/s/) as unknown,
  });
});

test('passes converge while w < a, in about as many as the formula says, and shrink by w/a', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100_000, max: 20_000_000 }),
      fc.integer({ min: 1_000, max: 60_000 }),
      fc.double({ min: 0.01, max: 0.8, noNaN: true }),
      (rows, a, ratio) => {
        // Rule 11: ln(D0/ε)/ln(a/w), where the pass that needs no more than 5 s is the last.
        const epsilon = Math.min(a * 5, policy.enoughLagBytes / bytesPerRow / ratio);
        const expected = Math.max(0, Math.log(rows / epsilon) / Math.log(1 / ratio)) + 2;
        fc.pre(expected <= policy.maxPasses);
        const { passes, decision } = simulate({ rows, w: a * ratio, a, limitMs: Number.MAX_SAFE_INTEGER });
        expect(decision.action).toBe('enough');
        expect(passes.length).toBeLessThanOrEqual(expected);
        for (let at = 1; at < passes.length; at += 1) {
          const [before, after] = [passes[at - 1], passes[at]];
          const measured = before === undefined || after === undefined ? null : passRatio(before, after);
          expect(Math.abs((measured ?? 0) - ratio)).toBeLessThanOrEqual(0.2 * ratio);
        }
      },
    ),
  );
});

test('it never goes on for ever, and never gives up on a shard that shrinks enough', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1_000, max: 60_000 }),
      fc.double({ min: 0, max: 3, noNaN: true }),
      (seconds, a, ratio) => {
        const rows = seconds * a;
        const { passes, decision } = simulate({ rows, w: a * ratio, a, limitMs: 900_000 });
        expect(passes.length).toBeLessThanOrEqual(policy.maxPasses);
        // What is wrong may be the rate or the number of passes, but never a shard that was fast enough.
        const wanted = ratio < 0.5 ? 'enough' : decision.action;
        expect(decision.action).toBe(wanted);
      },
    ),
  );
});

test('a pass over all shards in one line: sums, and the worst of the shards', () => {
  const shards = [pass({ lagBytes: 5, durationMs: 900 }), pass({ shard: 'shard_0007', rows: 1, durationMs: 1_000 })];
  expect(summarizePass(2, shards)).toEqual({
    number: 2,
    segments: 2,
    rows: 101,
    bytes: 40_000,
    lagBytes: 1_000,
    durationMs: 1_000,
  });
});
