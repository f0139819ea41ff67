import fc from 'fast-check';
import { blackoutMs, latencyBetween, longestGapMs, percentile, type Answer } from '../../../local/load/figures';
import { compareWithLedger, Ledger } from '../../../local/load/ledger';

const words = { row: 'order', state: 'version' };
const write = (atMs: number, shard = 0): Answer => ({ atMs, shard, tookMs: 5, write: true });

test('a write that was acknowledged and is not there is missing', () => {
  const ledger = new Ledger();
  ledger.acknowledge(1, 0, 3);
  ledger.acknowledge(2, 0, 1);
  ledger.acknowledge(3, 1, 1);
  expect(compareWithLedger(ledger.ofShard(0), new Map([[1, 2]]), words)).toEqual({
    missing: ['order 1: version 3 acknowledged, found 2', 'order 2: version 1 acknowledged, found nothing'],
    undead: [],
    lost: [],
    checked: 2,
  });
});

test('only what was acknowledged within the time that may be lost is lost and not missing', () => {
  const record = (acknowledged: number | null, firstAtMs: number, acknowledgedAtMs: number) => ({
    shard: 0,
    acknowledged,
    firstAtMs,
    acknowledgedAtMs,
    unanswered: undefined,
  });
  const rows = new Map([
    [1, record(3, 0, 1_500)],
    [2, record(null, 0, 1_500)],
    // Inserted within that time, and updated after it where nothing was left to update.
    [3, record(2, 1_500, 2_500)],
    [4, record(3, 0, 999)],
    [5, record(3, 0, 2_001)],
    [6, record(null, 0, 999)],
  ]);
  const found = new Map([
    [1, 2],
    [2, 1],
    [4, 2],
    [5, 2],
    [6, 1],
  ]);
  const verdict = compareWithLedger(rows, found, words, { fromMs: 1_000, toMs: 2_000 });
  expect(verdict.lost.map((line) => line.slice(0, 7))).toEqual(['order 1', 'order 2', 'order 3']);
  expect(verdict.missing.map((line) => line.slice(0, 7))).toEqual(['order 4', 'order 5']);
  expect(verdict.undead.map((line) => line.slice(0, 7))).toEqual(['order 6']);
  expect(compareWithLedger(rows, found, words).lost).toEqual([]);
});

test('a delete that was acknowledged stays a delete', () => {
  const ledger = new Ledger();
  ledger.adopt(1, 0, 1);
  ledger.acknowledge(1, 0, null);
  expect(compareWithLedger(ledger.ofShard(0), new Map([[1, 1]]), words).undead).toEqual([
    'order 1: deleted, found version 1',
  ]);
  expect(compareWithLedger(ledger.ofShard(0), new Map(), words).undead).toEqual([]);
});

test('a write that was never answered may have happened or not, but nothing else may', () => {
  const ledger = new Ledger();
  ledger.adopt(1, 0, 4);
  ledger.leaveOpen(1, 0, 5, 4);
  const missing = (version: number) =>
    compareWithLedger(ledger.ofShard(0), new Map([[1, version]]), words).missing.length;
  expect([4, 5, 3, 6].map(missing)).toEqual([0, 0, 1, 1]);
});

test('the longest gap counts every shard, the ends of the span too, and no reads', () => {
  const answers = [write(100), write(300, 1), { ...write(450), write: false }, write(600), write(700, 1), write(5_000)];
  const gap = (shards: readonly number[], toMs = 800) => longestGapMs(answers, shards, { fromMs: 0, toMs });
  expect([gap([0]), gap([1]), gap([0, 1]), gap([0], 1_500)]).toEqual([500, 400, 500, 900]);
  expect(gap([0, 2])).toBeNull();
});

test('the blackout is the longest gap of any shard that lost its primary', () => {
  const answers = [
    write(100),
    write(200),
    write(1_400),
    write(1_500),
    write(150, 1),
    write(900, 1),
    write(950, 1),
    write(10, 2),
    write(9_000, 2),
  ];
  expect(blackoutMs(answers, [0, 1], 210, 2_000)).toBe(1_200);
  expect(blackoutMs(answers, [0, 3], 210, 2_000)).toBeNull();
});

test('an answer that was on its way at the kill does not hide the gap', () => {
  expect(blackoutMs([write(100), write(215), write(1_000)], [0], 210, 2_000)).toBe(785);
});

test('a percentile is one of the values, and no smaller share exceeds it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(), { minLength: 1 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (values, share) => {
        const value = percentile(values, share) ?? -1;
        expect(values).toContain(value);
        expect(values.filter((other) => other <= value).length).toBeGreaterThanOrEqual(share * values.length);
      },
    ),
  );
  expect(percentile([], 0.5)).toBeNull();
  expect(latencyBetween([write(5), write(50)], 10, 60)).toEqual({ p50Ms: 5, p99Ms: 5 });
});
