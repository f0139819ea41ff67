import fc from 'fast-check';
import { decodeMessage, kindOfMessage, textBytes, valueKind, type Tuple } from '../../../core/changes/pgoutput';
import { encode, errorName, unchanged, type Value } from './encode-pgoutput';

const decode = (message: Buffer, padding = 3): ReturnType<typeof decodeMessage> =>
  decodeMessage(
    Buffer.concat([Buffer.alloc(padding, 0xff), message, Buffer.alloc(2, 0xff)]),
    padding,
    padding + message.length,
  );

/** The values of a tuple that was decoded from `message` alone. */
function valuesOf(message: Buffer, tuple: Tuple): Value[] {
  return tuple.map((at) => {
    switch (message[at] ?? 0) {
      case valueKind.null:
        return null;
      case valueKind.unchanged:
        return unchanged;
      default:
        return message.toString('utf8', at + 5, at + 5 + textBytes(message, at));
    }
  });
}

const value = fc.oneof(fc.string({ unit: 'binary' }), fc.constant(null), fc.constant(unchanged));
const values = fc.array(value, { minLength: 1, maxLength: 6 });

test('rows come back as they were written', () => {
  fc.assert(
    fc.property(values, values, fc.constantFrom('K', 'O'), fc.nat(0xffff_ffff), (fresh, old, part, id) => {
      const insert = encode.insert(id, fresh);
      const inserted = decodeMessage(insert, 0, insert.length);
      expect(inserted).toMatchObject({ kind: 'insert', relationId: id });
      expect(inserted.kind === 'insert' && valuesOf(insert, inserted.values)).toEqual(fresh);

      const update = encode.update(id, fresh, { part, values: old });
      const updated = decodeMessage(update, 0, update.length);
      expect(updated).toMatchObject({ kind: 'update', old: { kind: part === 'K' ? 'key' : 'full' } });
      expect(updated.kind === 'update' && valuesOf(update, updated.values)).toEqual(fresh);
      expect(updated.kind === 'update' && updated.old && valuesOf(update, updated.old.values)).toEqual(old);

      const removal = encode.delete(id, { part, values: old });
      const removed = decodeMessage(removal, 0, removal.length);
      expect(removed.kind === 'delete' && valuesOf(removal, removed.old.values)).toEqual(old);
    }),
  );
});

test('the other messages', () => {
  expect(decode(encode.begin(0x16_b374_d848n, 4_294_967_295))).toEqual({
    kind: 'begin',
    commitAt: 0x16_b374_d848n,
    xid: 4_294_967_295,
  });
  expect(decode(encode.commit(5n, 9n))).toEqual({ kind: 'commit', end: 9n });
  expect(decode(encode.origin('pg_16403'))).toEqual({ kind: 'origin', name: 'pg_16403' });
  expect(decode(encode.type(16_400, 'shop', 'Stimmung “x”'))).toEqual({
    kind: 'type',
    typeId: 16_400,
    schema: 'shop',
    name: 'Stimmung “x”',
  });
  expect(decode(encode.type(16_401, '', 'int4'))).toMatchObject({ schema: 'pg_catalog', name: 'int4' });
  expect(decode(encode.truncate([3, 70_000]))).toEqual({ kind: 'truncate', relationIds: [3, 70_000] });
  expect(decode(encode.update(4, ['a']))).toMatchObject({ kind: 'update', old: null });
});

test('a relation, with its keys and replica identity', () => {
  const columns = [
    { name: 'id', isKey: true, typeId: 20 },
    { name: 'naïve "name"', isKey: false, typeId: 16_400 },
  ];
  expect(decode(encode.relation(9, { schema: '', table: 'order items', identity: 'f' }, columns))).toEqual({
    kind: 'relation',
    relation: { id: 9, schema: 'pg_catalog', table: 'order items', replicaIdentity: 'full', columns },
  });
});

test('an unknown kind is an error that names it', () => {
  expect(() => decode(Buffer.from('Sxxxx'))).toThrow("unknown kind 'S' (83)");
});

test('an unknown kind of value, part or replica identity is an error', () => {
  const binary = encode.insert(1, ['x']);
  binary[binary.indexOf('t', 6)] = 'b'.charCodeAt(0);
  expect(() => decode(binary)).toThrow("unknown kind 'b'");
  const part = encode.delete(1, { part: 'K', values: ['x'] });
  part[5] = 'N'.charCodeAt(0);
  expect(() => decode(part)).toThrow("unknown part 'N'");
  expect(() => decode(encode.relation(1, { schema: 's', table: 't', identity: 'x' }, []))).toThrow("identity 'x'");
});

test('no message is read beyond its end, and none may have bytes left', () => {
  const messages = [
    encode.begin(1n),
    encode.commit(1n, 2n),
    encode.origin('o'),
    encode.type(1, 's', 't'),
    encode.truncate([1, 2]),
    encode.relation(1, { schema: 's', table: 't' }, [{ name: 'c', isKey: true }]),
    encode.insert(1, ['text', null, unchanged]),
    encode.update(1, ['new'], { part: 'K', values: ['old'] }),
    encode.delete(1, { part: 'O', values: ['old', null] }),
  ];
  for (const message of messages) {
    expect(() => decode(message)).not.toThrow();
    expect(() => decode(Buffer.concat([message, Buffer.from('x')]))).toThrow('bytes too many');
    for (let length = 1; length < message.length; length += 1) {
      expect(errorName(() => decode(message.subarray(0, length)))).toBe('ChunkDamaged');
    }
  }
});

test('kinds are told by the first byte', () => {
  const kinds = [
    encode.commit(1n, 2n),
    encode.insert(1, []),
    encode.truncate([]),
    encode.type(1, '', ''),
    encode.begin(1n),
  ];
  expect(kinds.map((message) => kindOfMessage(message[0]))).toEqual([
    'commit',
    'change',
    'change',
    'relation',
    'other',
  ]);
});
