import fc from 'fast-check';
import { lineageFolder, segmentKey } from '../../../core/backup/object-keys';
import { chainFrom, requireChain, spanOf, type SegmentSpan } from '../../../core/backup/segment-chain';
import { positionBytes, positionOf } from '../../../core/cluster/position';

const lineage = { shard: 'shard_0003', epoch: 12 };

function span(from: number, to: number): SegmentSpan {
  const places = { from: positionOf(BigInt(from)), to: positionOf(BigInt(to)) };
  return { key: segmentKey('orders', lineage, places, 'lz4'), ...places };
}

const at = (place: number): string => positionOf(BigInt(place));
const ends = (spans: readonly SegmentSpan[]): string[] => spans.map(({ from, to }) => `${from}-${to}`);

test('a key says where its segment begins and ends', () => {
  const key = segmentKey('orders', lineage, { from: '16/B374D848', to: '17/0' }, 'lz4');
  expect(key).toBe('orders/changes/shard_0003/12/00000016_B374D848-00000017_00000000.lz4');
  expect(spanOf(key)).toEqual({ key, from: '16/B374D848', to: '17/0' });
  expect(spanOf('orders/changes/shard_0003/12/notes.txt')).toBeNull();
});

test('keys are listed in the order of the log', () => {
  const keys = [9, 255, 256, 0x1_0000_0000, 0x10_0000_0000].map((from) => span(from, from + 1).key);
  expect([...keys].sort()).toEqual(keys);
  expect(keys.every((key) => key.startsWith(lineageFolder('orders', lineage)))).toBe(true);
});

test('segments that follow each other are the chain', () => {
  const chain = chainFrom([span(20, 30), span(10, 20), span(30, 35)], at(10));
  expect(ends(chain.segments)).toEqual(['0/A-0/14', '0/14-0/1E', '0/1E-0/23']);
  expect(chain).toMatchObject({ end: at(35), beyondGap: null });
});

test('what a capture left that died before it advanced its slot does not matter', () => {
  // It stored 10-15; its repetition read more, 10-20, and captures went on from 20.
  expect(ends(chainFrom([span(10, 15), span(10, 20), span(20, 30)], at(10)).segments)).toEqual([
    '0/A-0/14',
    '0/14-0/1E',
  ]);
  // Its repetition read less, 10-12, and captures went on from 12.
  expect(chainFrom([span(10, 15), span(10, 12), span(12, 30)], at(10))).toMatchObject({ end: at(30), beyondGap: null });
});

test('a slot that a crash of its server set back only makes segments overlap', () => {
  expect(chainFrom([span(10, 20), span(20, 30), span(15, 40)], at(10)).end).toBe(at(40));
});

test('segments before the begin are passed over, one across it is not', () => {
  expect(ends(chainFrom([span(0, 10), span(5, 12), span(12, 20)], at(10)).segments)).toEqual(['0/5-0/C', '0/C-0/14']);
});

test('a gap ends the chain and is named', () => {
  const spans = [span(10, 20), span(25, 30)];
  expect(chainFrom(spans, at(10))).toMatchObject({ end: at(20), beyondGap: span(25, 30) });
  expect(() => requireChain(spans, at(10), at(30), 'shard_0003')).toThrow(
    `of shard_0003 have a gap: they lead from 0/A to 0/14, 0/1E was to be reached, and the next one is '${span(25, 30).key}'`,
  );
  expect(() => requireChain(spans, at(10), at(20), 'shard_0003')).not.toThrow();
});

/** A log with commits, and captures of it that die at any moment, forget, and read more or less than before. */
const history = fc.record({
  commits: fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 30 }),
  captures: fc.array(
    fc.record({
      upTo: fc.integer({ min: 1, max: 12 }),
      dies: fc.constantFrom('never', 'before the store', 'before the advance', 'before the record'),
      setBack: fc.boolean(),
    }),
    { maxLength: 25 },
  ),
});

test('whatever captures died, the chain has every change up to where the slot is, and never one twice in a row', () => {
  fc.assert(
    fc.property(history, ({ commits, captures }) => {
      const log = [...commits].sort((left, right) => left - right);
      const stored = new Map<string, SegmentSpan>();
      let slot = 0;
      for (const { upTo, dies, setBack } of captures) {
        // A server that crashed may have forgotten the newest advance; never more than what is stored again.
        const begin = setBack ? Math.max(0, slot - 7) : slot;
        const to = log
          .filter((commit) => commit > begin)
          .slice(0, upTo)
          .at(-1);
        if (to === undefined || dies === 'before the store') {
          continue;
        }
        const segment = span(begin, to);
        stored.set(segment.key, segment);
        if (dies !== 'before the advance') {
          slot = Math.max(slot, to);
        }
      }
      const chain = chainFrom([...stored.values()], at(0));
      expect(positionBytes(chain.end)).toBeGreaterThanOrEqual(BigInt(slot));
      expect(chain.beyondGap).toBeNull();
      let reached = 0n;
      for (const { from, to } of chain.segments) {
        expect(positionBytes(from)).toBeLessThanOrEqual(reached);
        expect(positionBytes(to)).toBeGreaterThan(reached);
        reached = positionBytes(to);
      }
    }),
    { numRuns: 500 },
  );
});

test('no choice of segments leads further than the chain does', () => {
  const spans = fc.array(
    fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 15 })).map(([from, length]) => span(from, from + length)),
    { maxLength: 15 },
  );
  fc.assert(
    fc.property(spans, fc.nat(40), (segments, begin) => {
      // Every position that can be reached, found by trying all of them.
      const reached = new Set([begin]);
      for (let grew = true; grew;) {
        grew = false;
        for (const { from, to } of segments) {
          const end = Number(positionBytes(to));
          if (!reached.has(end) && [...reached].some((place) => Number(positionBytes(from)) <= place && place < end)) {
            reached.add(end);
            grew = true;
          }
        }
      }
      expect(chainFrom(segments, at(begin)).end).toBe(at(Math.max(...reached)));
    }),
    { numRuns: 500 },
  );
});
