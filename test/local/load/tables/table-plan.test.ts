import { planTable, type ColumnShape, type TableShape } from '../../../../local/load/tables/table-plan';

const column = (name: string, baseType: string, more: Partial<ColumnShape> = {}): ColumnShape => ({
  name,
  type: baseType,
  baseType,
  generated: false,
  identity: null,
  fromSequence: false,
  ...more,
});

const table = (more: Partial<TableShape>): TableShape => ({
  schema: 's',
  table: 't',
  columns: [column('id', 'int8'), column('body', 'text')],
  key: ['id'],
  uniques: [['id']],
  references: [],
  ...more,
});

test('what an update changes follows from the type of a column; what is unique or refers to others is only rewritten', () => {
  const columns = [
    column('id', 'int4'),
    column('count', 'int2'),
    column('body', 'varchar'),
    column('open', 'bool'),
    column('at', 'timestamptz'),
    column('day', 'date'),
    column('tags', '_text'),
    column('customer', 'int8'),
    column('code', 'text'),
    column('computed', 'int4', { generated: true }),
    column('number', 'int8', { identity: 'always' }),
  ];
  const { updates } = planTable(table({ columns, uniques: [['id'], ['code']], references: ['customer'] }));
  expect(updates.map((update) => [update.column, update.change])).toEqual([
    ['count', 'number'],
    ['body', 'text'],
    ['open', 'boolean'],
    ['at', 'second'],
    ['day', 'day'],
    ['tags', 'self'],
    ['customer', 'self'],
    ['code', 'self'],
  ]);
});

test('a table of nothing but its key has the key rewritten', () => {
  expect(planTable(table({ columns: [column('id', 'int8')] })).updates).toEqual([{ column: 'id', change: 'self' }]);
});

test('a table whose every column the server computes is not updated, and it is said', () => {
  const plan = planTable(table({ columns: [column('id', 'int8', { identity: 'always' })] }));
  expect(plan.updates).toEqual([]);
  expect(plan.leftOut).toEqual(['updates: every column is computed by the server']);
});

test.each<[name: string, shape: Partial<TableShape>, fillers: readonly (readonly [string, string])[] | string]>([
  ['an integer key', {}, [['id', 'integer']]],
  [
    'an identity, by its sequence',
    { columns: [column('id', 'int8', { identity: 'by default' })] },
    [['id', 'default']],
  ],
  ['a serial', { columns: [column('id', 'int4', { fromSequence: true })] }, [['id', 'default']]],
  ['a uuid', { columns: [column('id', 'uuid')] }, [['id', 'uuid']]],
  ['a word', { columns: [column('id', 'text')] }, [['id', 'text']]],
  [
    'the part of a key that refers to nothing',
    {
      columns: [column('order', 'int8'), column('line', 'int4')],
      key: ['order', 'line'],
      uniques: [['order', 'line']],
      references: ['order'],
    },
    [['line', 'integer']],
  ],
  [
    'one column for two unique indexes that share it',
    { columns: [column('id', 'int8'), column('code', 'text')], uniques: [['id'], ['code', 'id']] },
    [['id', 'integer']],
  ],
  [
    'each unique index its own',
    { columns: [column('id', 'int8'), column('code', 'text')], uniques: [['id'], ['code']] },
    [
      ['id', 'integer'],
      ['code', 'text'],
    ],
  ],
  ['an index over an expression, which the server may refuse', { uniques: [['id'], null] }, [['id', 'integer']]],
  [
    'a day, of which no new one can be made',
    { columns: [column('id', 'date')] },
    'inserts: no new value can be made for (id), which must be unique',
  ],
  [
    'a key that is another row',
    { references: ['id'] },
    'inserts: no new value can be made for (id), which must be unique',
  ],
])('a new row needs: %s', (_name, shape, fillers) => {
  const plan = planTable(table(shape));
  expect(plan.fillers === null ? plan.leftOut[0] : [...plan.fillers]).toEqual(fillers);
});
