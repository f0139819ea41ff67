import fc from 'fast-check';
import { executionName } from '../../../core/starter/execution-name';

const atMs = Date.UTC(2026, 0, 2, 3, 4, 5);
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,39}$/);
const parts = fc.record({
  cluster: name,
  nodeId: fc.option(name),
  trigger: fc.constantFrom('alarm', 'machine', 'promoted', 'silent', 'manual', 'schedule'),
  atMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  within: fc.constantFrom('hour' as const, 'minute' as const),
});

test('it says cluster, node, trigger and UTC hour', () => {
  expect(executionName({ cluster: 'orders', nodeId: 'node-3', trigger: 'alarm', atMs, within: 'hour' })).toBe(
    'orders-node-3-alarm-20260102T03',
  );
  expect(executionName({ cluster: 'orders', nodeId: null, trigger: 'schedule', atMs, within: 'minute' })).toBe(
    'orders-schedule-20260102T0304',
  );
});

test('it always fits what Step Functions takes', () => {
  fc.assert(
    fc.property(parts, (given) => {
      expect(executionName(given)).toMatch(/^[A-Za-z0-9-]{1,80}$/);
    }),
  );
});

test('it is the same within its hour or minute, and another in the next', () => {
  fc.assert(
    fc.property(parts, (given) => {
      const lengthMs = given.within === 'hour' ? 3_600_000 : 60_000;
      const startMs = given.atMs - (given.atMs % lengthMs);
      const first = executionName({ ...given, atMs: startMs });
      expect(executionName({ ...given, atMs: startMs + lengthMs - 1 })).toBe(first);
      expect(executionName({ ...given, atMs: startMs + lengthMs })).not.toBe(first);
    }),
  );
});

test('two long names that differ at their end stay two', () => {
  const long = { cluster: 'c'.repeat(40), trigger: 'alarm', atMs, within: 'hour' as const };
  expect(executionName({ ...long, nodeId: `${'n'.repeat(38)}-1` })).not.toBe(
    executionName({ ...long, nodeId: `${'n'.repeat(38)}-2` }),
  );
});
