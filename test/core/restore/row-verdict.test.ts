import fc from 'fast-check';
import { judgeRow, maxRetries, proofDistanceMs, type RowLook, type RowSeen } from '../../../core/restore/row-verdict';

const row = (md5: string, xmin = '700'): RowSeen => ({ md5, xmin });

function look(atMs: number, before: RowSeen, target: RowSeen, after: RowSeen = before): RowLook {
  return { atMs, before, target, after };
}

test('the same content is equal, whatever the xmin of the target', () => {
  expect(judgeRow([look(0, row('a'), row('a', '9'))])).toBe('equal');
  expect(judgeRow([look(0, null, null)])).toBe('equal');
});

test('a target that is already as the source became meanwhile is equal', () => {
  expect(judgeRow([look(0, row('a', '700'), row('b'), row('b', '701'))])).toBe('equal');
});

test('one difference proves nothing', () => {
  expect(judgeRow([look(0, row('a'), row('b'))])).toBe('open');
});

test('two differences at one xmin, 2 s apart, are real', () => {
  const looks = [look(0, row('a'), row('b')), look(proofDistanceMs, row('a'), row('b'))];
  expect(judgeRow(looks)).toBe('different');
  expect(judgeRow([look(0, row('a'), row('b')), look(proofDistanceMs - 1, row('a'), row('b'))])).toBe('open');
});

test('a row that is missing, or one too many, is a difference like any other', () => {
  expect(judgeRow([look(0, row('a'), null), look(2_000, row('a'), null)])).toBe('different');
  expect(judgeRow([look(0, null, row('z')), look(2_000, null, row('z'))])).toBe('different');
});

test('differences at two versions of the row prove nothing', () => {
  const looks = [look(0, row('a', '700'), row('z')), look(2_000, row('b', '701'), row('z'))];
  expect(judgeRow(looks)).toBe('open');
  expect(judgeRow([...looks, look(4_000, row('b', '701'), row('z'))])).toBe('different');
});

test('a row that changes under every look is unproved in the end', () => {
  const looks = Array.from({ length: maxRetries + 1 }, (_, at) =>
    look(at * 2_000, row(`v${at}`, `${at}`), row('old'), row(`w${at}`, `x${at}`)),
  );
  expect(looks.slice(0, -1).map((_, at) => judgeRow(looks.slice(0, at + 1)))).toEqual(
    Array.from({ length: maxRetries }, () => 'open'),
  );
  expect(judgeRow(looks)).toBe('unproved');
});

test('a difference is never claimed of a target that has the row', () => {
  const seen = fc.oneof(
    fc.constant(null),
    fc.record({ md5: fc.constantFrom('a', 'b'), xmin: fc.constantFrom('1', '2') }),
  );
  const looks = fc.array(fc.record({ atMs: fc.nat(10_000), before: seen, target: seen, after: seen }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(looks, (given) => {
      const last = given.at(-1);
      const verdict = judgeRow(given);
      const has = last !== undefined && (last.target?.md5 ?? null) === (last.after?.md5 ?? null);
      expect(has && verdict !== 'equal').toBe(false);
      const same = given.filter(
        (each) => each.before?.xmin === last?.after?.xmin && each.after?.xmin === last?.after?.xmin,
      );
      expect(verdict === 'different' && same.length < 2).toBe(false);
    }),
    { numRuns: 1_000 },
  );
});
