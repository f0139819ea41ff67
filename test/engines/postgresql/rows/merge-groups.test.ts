import fc from 'fast-check';
import { mergeGroups, type RowGroup } from '../../../../engines/postgresql/rows/merge-groups';

const group = (key: number, rows: number, bytes: number): RowGroup => ({ firstKey: [`${key}`], rows, bytes });

test('no rows make one range, and so do few', () => {
  expect(mergeGroups([], { rows: 10, bytes: 10 })).toEqual([]);
  expect(mergeGroups([group(1, 5, 5), group(2, 5, 5)], { rows: 10, bytes: 10 })).toEqual([]);
});

test('a group that is too large stays alone', () => {
  expect(mergeGroups([group(1, 1, 1), group(2, 1, 99), group(3, 1, 1)], { rows: 10, bytes: 10 })).toEqual([
    ['2'],
    ['3'],
  ]);
});

test('ranges keep both limits where groups do, and could not be joined with the next group', () => {
  const groups = fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 200 })));
  fc.assert(
    fc.property(groups, (sizes) => {
      const limits = { rows: 25, bytes: 220 };
      const all = sizes.map(([rows, bytes], key) => group(key, rows, bytes));
      const cuts = mergeGroups(all, limits).map(([key]) => Number(key));
      const bounds = [0, ...cuts, all.length];
      const sum = (of: 'rows' | 'bytes', from: number, to: number): number =>
        all.slice(from, to).reduce((total, one) => total + one[of], 0);
      expect(bounds).toEqual(bounds.toSorted((left, right) => left - right));
      bounds.slice(0, -1).forEach((from, place) => {
        const to = bounds[place + 1] ?? 0;
        expect(sum('rows', from, to)).toBeLessThanOrEqual(limits.rows);
        expect(sum('bytes', from, to)).toBeLessThanOrEqual(limits.bytes);
        const fits = sum('rows', from, to + 1) <= limits.rows && sum('bytes', from, to + 1) <= limits.bytes;
        expect(to < all.length && fits).toBe(false);
      });
    }),
  );
});
