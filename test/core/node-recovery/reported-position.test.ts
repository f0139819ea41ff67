import fc from 'fast-check';
import { comparePositions, positionOf } from '../../../core/cluster/position';
import {
  coveredToMs,
  nextReport,
  receivedBy,
  reportedPositionKey,
  reportedPositionSchema,
  readReportedPosition,
  writeReport,
  type ReportedPosition,
} from '../../../core/node-recovery/reported-position';
import { SimulatedRegistry } from '../../support/simulated-registry';

const seen = (bytes: number, atMs: number) => ({
  nodeId: 'node-3',
  position: positionOf(BigInt(bytes)),
  atMs,
  confirmed: { s0007e4: positionOf(BigInt(bytes)) },
});

test('a report never goes back, neither in the log nor in time', () => {
  const moments = fc.array(fc.tuple(fc.nat(10_000), fc.nat(10_000)), { maxLength: 40 });
  fc.assert(
    fc.property(moments, (given) => {
      let last: ReportedPosition | null = null;
      const written: ReportedPosition[] = [];
      for (const [bytes, atMs] of given) {
        const next: ReportedPosition | null = nextReport(last, seen(bytes, atMs));
        written.push(...(next === null ? [] : [next]));
        last = next ?? last;
      }
      const pairs = written.slice(1).map((report, index) => [written[index] ?? report, report] as const);
      const back = pairs.filter(
        ([before, after]) => after.atMs <= before.atMs || comparePositions(after.position, before.position) < 0,
      );
      expect(back).toEqual([]);
      expect(pairs.map(([, { earlier }]) => earlier[0])).toEqual(
        pairs.map(([{ position, atMs }]) => ({ position, atMs })),
      );
      expect(Math.max(0, ...written.map(({ earlier }) => earlier.length))).toBeLessThanOrEqual(10);
    }),
  );
});

test('what a follower has covers the newest report that it has passed', () => {
  let report = nextReport(null, seen(1_000, 1));
  for (let atMs = 2; atMs <= 5; atMs += 1) {
    report = nextReport(report, seen(1_000 * atMs, atMs));
  }
  const at = (bytes: number) => (report === null ? null : coveredToMs(report, positionOf(BigInt(bytes))));
  expect(at(9_000)).toBe(5);
  expect(at(5_000)).toBe(5);
  expect(at(4_999)).toBe(4);
  expect(at(999)).toBeNull();
});

test('a follower has what it applied or what it confirmed, whichever is further; without either nobody knows', () => {
  const report = nextReport(null, seen(1_000, 1));
  const [before, after] = [positionOf(999n), positionOf(1_001n)];
  expect(receivedBy(report, { name: 's0007e4', appliedTo: before })).toBe(positionOf(1_000n));
  expect(receivedBy(report, { name: 's0007e4', appliedTo: after })).toBe(after);
  expect(receivedBy(report, { name: 's0007e4', appliedTo: null })).toBe(positionOf(1_000n));
  expect(receivedBy(report, { name: 's0008e4', appliedTo: before })).toBe(before);
  expect(receivedBy(null, { name: 's0007e4', appliedTo: null })).toBeNull();
});

test('of two agents that report one node, the second finds that the first was there', async () => {
  const registry = new SimulatedRegistry();
  const first = nextReport(null, seen(1_000, 1));
  const second = nextReport(first, seen(2_000, 2));
  const other = nextReport(first, seen(1_500, 3));
  if (first === null || second === null || other === null) {
    throw new Error('reports that go on are written');
  }
  await writeReport(registry, 'orders', null, first);
  await writeReport(registry, 'orders', first, second);
  await expect(writeReport(registry, 'orders', first, other)).rejects.toMatchObject({ name: 'ConditionFailed' });
  expect(await readReportedPosition(registry, 'orders', 'node-3')).toEqual(second);
  const item = await registry.read(reportedPositionKey('orders', 'node-3'));
  expect(reportedPositionSchema.parse(item)).toEqual(second);
});
