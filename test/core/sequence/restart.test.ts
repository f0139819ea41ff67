import fc from 'fast-check';
import { sequenceRestart, type SequenceState } from '../../../core/sequence/restart';

const states: fc.Arbitrary<SequenceState> = fc
  .record({
    descending: fc.boolean(),
    step: fc.bigInt(1n, 50n),
    start: fc.bigInt(-1000n, 1000n),
    taken: fc.bigInt(0n, 60n),
    isCalled: fc.boolean(),
    extreme: fc.option(fc.bigInt(-4000n, 4000n)),
  })
  .map(({ descending, step, start, taken, isCalled, extreme }) => {
    const increment = descending ? -step : step;
    return {
      start,
      increment,
      minimum: -10_000n,
      maximum: 10_000n,
      lastValue: start + taken * increment,
      isCalled: isCalled || taken > 0n,
      extreme,
    };
  });

/** What the server's nextval would return. */
function next(state: SequenceState, restart: bigint | null): bigint {
  if (restart !== null) {
    return restart + state.increment;
  }
  return state.isCalled ? state.lastValue + state.increment : state.lastValue;
}

test('the next value is past every value that the columns hold', () => {
  fc.assert(
    fc.property(states, (state) => {
      fc.pre(state.extreme !== null);
      const ahead = next(state, sequenceRestart(state)) - state.extreme;
      expect(state.increment > 0n ? ahead > 0n : ahead < 0n).toBe(true);
    }),
  );
});

test('a sequence stays on its grid and never goes back', () => {
  fc.assert(
    fc.property(states, (state) => {
      const value = next(state, sequenceRestart(state));
      const before = next(state, null);
      expect((value - state.start) % state.increment).toBe(0n);
      expect(state.increment > 0n ? value >= before : value <= before).toBe(true);
    }),
  );
});

test.each([
  ['empty columns change nothing', { extreme: null }, null],
  ['the largest value was inserted by hand', { extreme: 35n }, 35n],
  ['the largest value is the last one handed out', { extreme: 7n, lastValue: 7n }, null],
  ['a bigger increment rounds up to the grid', { increment: 10n, extreme: 35n }, 41n],
  ['the first value is there but was not handed out here', { lastValue: 1n, isCalled: false, extreme: 1n }, 1n],
  ['a value beyond the maximum uses the sequence up', { maximum: 100n, extreme: 500n }, 100n],
])('%s', (_name, given, expected) => {
  const state = { start: 1n, increment: 1n, minimum: 1n, maximum: 1_000n, lastValue: 7n, isCalled: true };
  expect(sequenceRestart({ ...state, ...given })).toBe(expected);
});
