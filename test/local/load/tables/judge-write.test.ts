import { isRefusal, Refusals, whyNotCommit, type TableTouches } from '../../../../local/load/tables/judge-write';

const touches = (table: string, inserted: number, updated: number, deleted: number): TableTouches => ({
  table,
  inserted,
  updated,
  deleted,
});

test('a write of one row may be committed, whatever the session counted before it', () => {
  const before = [touches('s.t', 7, 3, 2), touches('s.other', 0, 9, 0)];
  const write = { table: 's.t', rows: 1 };
  expect(
    whyNotCommit({ ...write, kind: 'update' }, before, [touches('s.t', 7, 4, 2), touches('s.other', 0, 9, 0)]),
  ).toBeNull();
  expect(whyNotCommit({ ...write, kind: 'delete' }, before, [touches('s.t', 7, 3, 3)])).toBeNull();
  expect(whyNotCommit({ ...write, kind: 'insert' }, before, [touches('s.t', 8, 3, 2)])).toBeNull();
});

test('new rows elsewhere, such as an audit, leave the ledger right', () => {
  const write = { kind: 'update', table: 's.t', rows: 1 } as const;
  expect(whyNotCommit(write, [], [touches('s.t', 0, 1, 0), touches('s.audit', 2, 0, 0)])).toBeNull();
});

test.each<[string, 'insert' | 'update' | 'delete', number, readonly TableTouches[], RegExp]>([
  ['a cascade', 'delete', 1, [touches('s.t', 0, 0, 1), touches('s.lines', 0, 0, 2)], /rows of s\.lines, by a trigger/],
  ['a counter elsewhere', 'insert', 1, [touches('s.t', 1, 0, 0), touches('s.sum', 0, 1, 0)], /rows of s\.sum/],
  ['a trigger on its own table', 'update', 1, [touches('s.t', 0, 2, 0)], /rows of the same table/],
  [
    'a row that moves to another partition',
    'update',
    1,
    [touches('s.t', 0, 0, 1), touches('s.u', 1, 0, 0)],
    /the same table/,
  ],
  ['nothing', 'update', 0, [], /writes 0 rows/],
])('%s is rolled back', (_name, kind, rows, after, reason) => {
  expect(whyNotCommit({ kind, table: 's.t', rows }, [], after)).toMatch(reason);
});

test.each([
  ['23505', true],
  ['23514', true],
  ['22003', true],
  ['42501', true],
  ['P0001', true],
  ['23P01', true],
  ['RJ001', false],
  ['RJ002', false],
  ['RJ004', false],
  ['57P01', false],
  ['40P01', false],
  ['08006', false],
  [undefined, false],
])('%s is a refusal by the data: %s', (state, refusal) => {
  expect(isRefusal(state)).toBe(refusal);
});

test('what is refused so many times in a row is given up; a success in between starts over', () => {
  const refusals = new Refusals(3);
  const refuse = (times: number) => {
    for (let time = 0; time < times; time += 1) {
      refusals.note('s.t insert', 'constraint c refuses it');
    }
  };
  refuse(2);
  refusals.succeeded('s.t insert');
  refuse(2);
  expect(refusals.givenUp('s.t insert')).toBe(false);
  refuse(1);
  expect(refusals.givenUp('s.t insert')).toBe(true);
  expect(refusals.givenUp('s.t delete')).toBe(false);
  expect(refusals.total).toBe(5);
  expect(refusals.entries()).toEqual([['s.t insert: constraint c refuses it', 5]]);
});
