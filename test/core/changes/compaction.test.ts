import fc from 'fast-check';
import { BatchReader, relationsOf } from '../../../core/changes/batches';
import type { TableBatch } from '../../../core/changes/compaction';
import { textBytes, valueKind, type Tuple } from '../../../core/changes/pgoutput';
import { encode, segmentOf, transaction, unchanged, type OldValues, type Value } from './encode-pgoutput';

/** A table (note, k2, document, k1) with the key (k1, k2), and values of `document` that may lie beside the row. */
interface Row {
  readonly note: string | null;
  readonly document: string | null;
}
type Table = Map<string, Row>;

const relationId = 42;
const keyPositions = [3, 1];
const relation = (identity: 'd' | 'f'): Buffer =>
  encode.relation(relationId, { schema: 'shop', table: 'notes', identity }, [
    { name: 'note', isKey: identity === 'f' },
    { name: 'k2', isKey: true },
    { name: 'document', isKey: identity === 'f' },
    { name: 'k1', isKey: true },
  ]);

/** Keys whose parts run into each other, so that a careless encoding confuses them. */
const keys = ['a|bc', 'ab|c', 'a|', '|a', 'ä|\t'];
const parts = (key: string): [string, string] => {
  const [k1 = '', k2 = ''] = key.split('|');
  return [k1, k2];
};
const tupleOf = (key: string, row: { readonly note: Value; readonly document: Value }): Value[] => {
  const [k1, k2] = parts(key);
  return [row.note, k2, row.document, k1];
};
const keyTuple = (key: string): Value[] => tupleOf(key, { note: null, document: null });

interface Operation {
  readonly kind: 'insert' | 'update' | 'move' | 'delete' | 'truncate';
  readonly key: string;
  readonly newKey: string;
  readonly note: string | null;
  /** Null: the document stays as it is, and is left out. */
  readonly document: string | null;
}

const operation = fc.record<Operation>({
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom<Operation['kind'][]>('insert', 'update', 'move', 'delete') },
    { weight: 1, arbitrary: fc.constant('truncate') },
  ),
  key: fc.constantFrom(...keys),
  newKey: fc.constantFrom(...keys),
  note: fc.option(fc.string({ maxLength: 3 })),
  document: fc.option(fc.string({ maxLength: 3 }), { freq: 1 }),
});

/** Performs the operation on the source's table, if it can; returns the message that the log would have. */
function perform(source: Table, operation: Operation, identity: 'd' | 'f'): Buffer | null {
  const { kind, key, newKey, note, document } = operation;
  const row = source.get(key);
  if (kind === 'truncate') {
    source.clear();
    return encode.truncate([relationId]);
  }
  if (kind === 'insert') {
    if (row !== undefined) {
      return null;
    }
    source.set(key, { note, document });
    return encode.insert(relationId, tupleOf(key, { note, document }));
  }
  if (row === undefined) {
    return null;
  }
  const old: OldValues =
    identity === 'f' ? { part: 'O', values: tupleOf(key, row) } : { part: 'K', values: keyTuple(key) };
  if (kind === 'delete') {
    source.delete(key);
    return encode.delete(relationId, old);
  }
  const target = kind === 'move' ? newKey : key;
  if (target !== key && source.has(target)) {
    return null;
  }
  // A null is never stored beside the row, so it is never left out.
  const fresh = { note, document: document ?? row.document };
  source.delete(key);
  source.set(target, fresh);
  const sent = tupleOf(target, {
    note,
    document: document === null && row.document !== null ? unchanged : fresh.document,
  });
  return encode.update(relationId, sent, identity === 'f' || target !== key ? old : null);
}

/** What the SQL does with a batch, on a table in memory. */
function applyTo(target: Table, body: Buffer, batch: TableBatch): void {
  const value = (at: number): string | null =>
    body[at] === valueKind.text ? body.toString('utf8', at + 5, at + 5 + textBytes(body, at)) : null;
  const keyOf = (tuple: Tuple): string => keyPositions.map((position) => value(tuple[position] ?? -1)).join('|');
  const rowOf = (tuple: Tuple, base: Row | null): Row => ({
    note: value(tuple[0] ?? -1),
    document: body[tuple[2] ?? -1] === valueKind.unchanged ? (base?.document ?? null) : value(tuple[2] ?? -1),
  });
  if (batch.truncated) {
    target.clear();
  }
  const completed = batch.relocated.flatMap(({ values, bases }) => {
    const base = bases.map((tuple) => target.get(keyOf(tuple))).find((row) => row !== undefined);
    return base === undefined ? [] : [[keyOf(values), rowOf(values, base)] as const];
  });
  batch.deletes.forEach((tuple) => target.delete(keyOf(tuple)));
  batch.inPlace.forEach((tuple) => {
    const base = target.get(keyOf(tuple));
    if (base !== undefined) {
      target.set(keyOf(tuple), rowOf(tuple, base));
    }
  });
  batch.writes.forEach((tuple) => target.set(keyOf(tuple), rowOf(tuple, null)));
  completed.forEach(([key, row]) => target.set(key, row));
}

function replay(target: Table, messages: readonly Buffer[], maxChanges: number): { readonly rows: number } {
  const body = segmentOf(messages);
  const { relations } = relationsOf(body);
  const positions = new Map([[relationId, keyPositions]]);
  const reader = new BatchReader(body, relations, positions, { maxChanges, maxBytes: 1_000_000 }, null);
  let rows = 0;
  for (let batch = reader.next(); batch !== null; batch = reader.next()) {
    rows += batch.rows;
    batch.tables.forEach((table) => {
      applyTo(target, body, table);
    });
  }
  return { rows };
}

const first = fc.array(
  fc.tuple(
    fc.constantFrom(...keys),
    fc.record({ note: fc.constant('old'), document: fc.constantFrom(null, 'd1', 'd2') }),
  ),
);
const identity = fc.constantFrom('d' as const, 'f' as const);
const sorted = (table: Table): [string, Row][] => [...table].sort(([left], [right]) => (left < right ? -1 : 1));

test('applying batches equals applying the changes one by one', () => {
  fc.assert(
    fc.property(
      first,
      fc.array(fc.array(operation, { maxLength: 4 }), { size: 'medium', maxLength: 40 }),
      identity,
      fc.integer({ min: 1, max: 12 }),
      (rows, work, kind, size) => {
        const source: Table = new Map(rows);
        const target: Table = new Map(rows);
        let changes = 0;
        const messages = work.flatMap((operations, number) => {
          const done = operations.map((one) => perform(source, one, kind)).filter((message) => message !== null);
          changes += done.length;
          return transaction(number + 1, number === 0 ? [relation(kind), ...done] : done);
        });
        expect(replay(target, messages, size)).toEqual({ rows: changes });
        expect(sorted(target)).toEqual(sorted(source));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('rows that were copied at different moments become right by replay', () => {
  const moments = fc.array(fc.nat(30), { minLength: keys.length, maxLength: keys.length });
  // A row that moves with its document left out can be missed by the copy in both places; comparing repairs that.
  const movesWhole = operation.map((one) => (one.kind === 'move' ? { ...one, document: one.document ?? '' } : one));
  fc.assert(
    fc.property(
      first,
      fc.array(movesWhole, { maxLength: 30 }),
      moments,
      identity,
      fc.integer({ min: 1, max: 12 }),
      (rows, work, readAt, kind, size) => {
        const source: Table = new Map(rows);
        const target: Table = new Map();
        const copy = (moment: number): void => {
          keys.forEach((key, place) => {
            const row = source.get(key);
            if (Math.min(readAt[place] ?? 0, work.length) === moment && row !== undefined) {
              target.set(key, row);
            }
          });
        };
        copy(0);
        const messages = work.flatMap((one, number) => {
          const message = perform(source, one, kind);
          copy(number + 1);
          return message === null ? [] : transaction(number + 1, [relation(kind), message]);
        });
        replay(target, messages, size);
        expect(sorted(target)).toEqual(sorted(source));
      },
    ),
    { numRuns: 2_000 },
  );
});

/** What one batch does with these changes to keys a, b, c of the one-column key. */
function fold(changes: readonly Buffer[]): TableBatch {
  const columns = [
    { name: 'id', isKey: true },
    { name: 'document', isKey: false },
  ];
  const body = segmentOf(transaction(1, [encode.relation(1, { schema: 's', table: 't' }, columns), ...changes]));
  const { relations } = relationsOf(body);
  const reader = new BatchReader(body, relations, new Map([[1, [0]]]), { maxChanges: 100, maxBytes: 100_000 }, null);
  const table = reader.next()?.tables[0];
  if (table === undefined) {
    throw new Error('no table in the batch');
  }
  return table;
}
const counts = ({ truncated, deletes, writes, inPlace, relocated }: TableBatch): (number | boolean)[] => [
  truncated,
  deletes.length,
  writes.length,
  inPlace.length,
  relocated.length,
];
const moved = (from: string, to: string, document: Value): Buffer =>
  encode.update(1, [to, document], { part: 'K', values: [from, null] });

test('one entry a key: truncated, deletes, writes, in place, relocated', () => {
  const insert = encode.insert(1, ['a', 'd']);
  const remove = encode.delete(1, { part: 'K', values: ['a', null] });
  expect(counts(fold([insert, remove]))).toEqual([false, 1, 0, 0, 0]);
  expect(counts(fold([remove, insert]))).toEqual([false, 0, 1, 0, 0]);
  expect(counts(fold([insert, encode.update(1, ['a', unchanged])]))).toEqual([false, 0, 1, 0, 0]);
  expect(counts(fold([encode.update(1, ['a', unchanged]), encode.update(1, ['a', unchanged])]))).toEqual([
    false,
    0,
    0,
    1,
    0,
  ]);
  expect(counts(fold([moved('a', 'b', 'd')]))).toEqual([false, 1, 1, 0, 0]);
  expect(counts(fold([moved('a', 'b', unchanged)]))).toEqual([false, 1, 0, 0, 1]);
  expect(counts(fold([remove, insert, encode.truncate([1]), encode.insert(1, ['z', null])]))).toEqual([
    true,
    0,
    1,
    0,
    0,
  ]);
});

test('a row that moved twice is looked for at its newest key first', () => {
  const { relocated } = fold([moved('a', 'b', unchanged), moved('b', 'c', unchanged)]);
  expect(relocated[0]?.bases).toHaveLength(3);
});

test('two rows that swap keys through a third one are both completed from where they were', () => {
  const batch = fold([moved('a', 'x', unchanged), moved('b', 'a', unchanged), moved('x', 'b', unchanged)]);
  // Their own keys belonged to the other row, so those are not asked.
  expect(counts(batch)).toEqual([false, 3, 0, 0, 2]);
});

test('a change that lacks its key is an error that names table and column', () => {
  expect(() => fold([encode.delete(1, { part: 'K', values: [null, null] })])).toThrow(
    "a change of table 's.t' lacks key column 'id'",
  );
});
