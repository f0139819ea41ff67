import fc from 'fast-check';
import {
  publicationName,
  replicationName,
  shardId,
  shardNumber,
  shardOfKey,
  standbyName,
} from '../../../core/cluster/names';
import { bytesBetween, comparePositions, positionBytes, positionOf } from '../../../core/cluster/position';

test('names are those that operators see in the database', () => {
  expect(shardId(7)).toBe('shard_0007');
  expect(replicationName('shard_0007', 12)).toBe('s0007e12');
  expect(publicationName('shard_0007')).toBe('rejoin_shard_0007');
  expect(standbyName('node-3-r1')).toBe('rejoin_node_3_r1');
  expect(() => shardNumber('shard_7')).toThrow(
    "'shard_7' is not a shard id; expected 'shard_' and four digits, such as 'shard_0007'",
  );
});

test('the names of standbys are such as slots may have, and one node has one', () => {
  const nodeId = fc.stringMatching(/^[a-z][a-z0-9-]{0,39}$/);
  fc.assert(
    fc.property(nodeId, nodeId, (left, right) => {
      expect(standbyName(left)).toMatch(/^[a-z0-9_]{1,63}$/);
      expect(standbyName(left) === standbyName(right)).toBe(left === right);
    }),
  );
});

test('a routing key belongs to the shard that any SHA-256 implementation computes', () => {
  // The first four bytes of FIPS 180-4's own digests of these texts.
  expect(['a', 'abc', ''].map((key) => shardOfKey(key, 16))).toEqual([
    0xca978112 % 16,
    0xba7816bf % 16,
    0xe3b0c442 % 16,
  ]);
});

test('every key belongs to one of the shards', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 4_096 }), (key, shardCount) => {
      const shard = shardOfKey(key, shardCount);
      return shard >= 0 && shard < shardCount && shardNumber(shardId(shard)) === shard;
    }),
  );
});

test('positions survive the way to bytes and back, and keep their order', () => {
  const position = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(position, position, (left, right) => {
      expect(positionBytes(positionOf(left))).toBe(left);
      expect(comparePositions(positionOf(left), positionOf(right))).toBe(left < right ? -1 : left > right ? 1 : 0);
    }),
  );
  expect(positionOf(0x16_b374d848n)).toBe('16/B374D848');
  expect(bytesBetween('0/FFFFFFFF', '1/0')).toBe(1);
  expect(() => positionBytes('16-B374D848')).toThrow("'16-B374D848' is not a log position");
});
