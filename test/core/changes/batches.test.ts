import { BatchReader, relationsOf, type ChangeBatch } from '../../../core/changes/batches';
import { positionBytes } from '../../../core/cluster/position';
import { encode, endOf, errorName, segmentOf, transaction } from './encode-pgoutput';

const columns = [
  { name: 'id', isKey: true },
  { name: 'v', isKey: false, typeId: 16_400 },
];
const relation = encode.relation(1, { schema: 's', table: 't' }, columns);
const insert = (id: number): Buffer => encode.insert(1, [`${id}`, 'v']);

function read(
  messages: readonly Buffer[],
  limits: { readonly maxChanges?: number; readonly maxBytes?: number; readonly after?: bigint } = {},
): { readonly batches: ChangeBatch[]; readonly passedOver: number } {
  const body = segmentOf(messages);
  const { maxChanges = 1_000, maxBytes = 1_000_000, after = null } = limits;
  const { relations } = relationsOf(body);
  const reader = new BatchReader(body, relations, new Map([[1, [0]]]), { maxChanges, maxBytes }, after);
  const batches: ChangeBatch[] = [];
  for (let batch = reader.next(); batch !== null; batch = reader.next()) {
    batches.push(batch);
  }
  expect(reader.next()).toBeNull();
  return { batches, passedOver: reader.passedOver };
}

const three = [
  ...transaction(1, [relation, insert(1), insert(2)]),
  ...transaction(2, [insert(3)]),
  ...transaction(3, [insert(4), insert(5), insert(6)]),
];
const ends = (batches: readonly ChangeBatch[]): [string, number][] => batches.map(({ to, rows }) => [to, rows]);

test('batches end with transactions, when they have enough changes or bytes', () => {
  expect(ends(read(three).batches)).toEqual([[endOf(3), 6]]);
  expect(ends(read(three, { maxChanges: 1 }).batches)).toEqual([
    [endOf(1), 2],
    [endOf(2), 1],
    [endOf(3), 3],
  ]);
  expect(ends(read(three, { maxChanges: 3 }).batches)).toEqual([
    [endOf(2), 3],
    [endOf(3), 3],
  ]);
  expect(ends(read(three, { maxBytes: 1 }).batches)).toHaveLength(3);
});

test('transactions that end at or before a position are passed over, with their changes counted', () => {
  const after = (number: number): bigint => positionBytes(endOf(number));
  expect(read(three, { after: after(3) })).toEqual({ batches: [], passedOver: 6 });
  const { batches, passedOver } = read(three, { after: after(1) });
  expect([ends(batches), passedOver]).toEqual([[[endOf(3), 4]], 2]);
  expect(read(three, { after: 5n }).passedOver).toBe(0);
});

test('a batch may be folded before it is asked for', () => {
  const body = segmentOf(three);
  const { relations } = relationsOf(body);
  const reader = new BatchReader(body, relations, new Map([[1, [0]]]), { maxChanges: 1, maxBytes: 1_000 }, null);
  const batches: (ChangeBatch | null)[] = [];
  for (let round = 0; round < 4; round += 1) {
    reader.prepare();
    reader.prepare();
    batches.push(reader.next());
  }
  expect(batches.map((batch) => batch?.rows ?? null)).toEqual([2, 1, 3, null]);
});

test('TRUNCATE counts once and empties each of its tables', () => {
  const [batch] = read(transaction(1, [relation, insert(1), encode.truncate([1]), insert(2)])).batches;
  expect(batch).toMatchObject({ rows: 3, tables: [{ truncated: true, deletes: [], writes: [expect.anything()] }] });
});

test.each([
  ['ends within a transaction', three.slice(0, -1)],
  ['begins a transaction within another', [...three.slice(0, 2), ...three]],
  ['has a change outside a transaction', [relation, insert(1)]],
  ['has a change of a table that it does not describe', transaction(1, [insert(1)])],
])('a segment that %s is damaged', (_name, messages) => {
  expect(errorName(() => read(messages))).toBe('ChunkDamaged');
});

test('tables and types are told before the changes are read', () => {
  const messages = transaction(1, [encode.type(16_400, 'shop', 'mood'), relation, insert(1), relation]);
  const { relations, types } = relationsOf(segmentOf(messages));
  expect(types.get(16_400)).toEqual({ schema: 'shop', name: 'mood' });
  expect(relations.get(1)).toMatchObject({ schema: 's', table: 't', replicaIdentity: 'default', columns });
});

test.each([
  ['a further column', [...columns, { name: 'w', isKey: false }]],
  ['another type', [columns[0], { name: 'v', isKey: false, typeId: 25 }]],
  ['another name', [columns[0], { name: 'w', isKey: false, typeId: 16_400 }]],
])('a table that got %s within the segment is an error that shows both', (_name, changed) => {
  const later = encode.relation(
    1,
    { schema: 's', table: 't' },
    changed.filter((column) => column !== undefined),
  );
  expect(() => relationsOf(segmentOf(transaction(1, [relation, insert(1), later])))).toThrow(
    /^table 's\.t' changed on the source while its changes were captured: from s\.t \(id 25, v 16400\) to s\.t \(/,
  );
});
