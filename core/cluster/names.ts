import { createHash } from 'node:crypto';
import { RejoinError } from '../errors';

/** The id of the shard with this number: 7 is `shard_0007`, which is also its schema's name. */
export function shardId(number: number): string {
  return `shard_${String(number).padStart(4, '0')}`;
}

/** The number in a shard's id. @throws InvalidInput when it is not `shard_` and four digits */
export function shardNumber(id: string): number {
  const digits = /^shard_(\d{4})$/.exec(id)?.[1];
  if (digits === undefined) {
    throw new RejoinError(
      'InvalidInput',
      `'${id}' is not a shard id; expected 'shard_' and four digits, such as 'shard_0007'`,
    );
  }
  return Number(digits);
}

/**
 * The name of a shard's slot, subscription and entry in `synchronous_standby_names`: `s0007e12`. Unique per epoch,
 * because a duplicate name would release commits that nobody confirmed.
 */
export function replicationName(shard: string, epoch: number): string {
  return `s${String(shardNumber(shard)).padStart(4, '0')}e${epoch}`;
}

/** The publication of a shard, the same on both owners. */
export function publicationName(shard: string): string {
  return `rejoin_${shard}`;
}

/**
 * The slot and `application_name` of a physical standby: `rejoin_node_3_r1` of node `node-3-r1`. Slots allow lower-case
 * letters, digits and `_`; node ids have no `_`, so that two nodes never share a name.
 */
export function standbyName(nodeId: string): string {
  return `rejoin_${nodeId.replaceAll('-', '_')}`;
}

/**
 * The number of the shard that a routing key belongs to: the first 4 bytes (big-endian) of its SHA-256, modulo the
 * shard count.
 */
export function shardOfKey(routingKey: string, shardCount: number): number {
  return createHash('sha256').update(routingKey).digest().readUInt32BE(0) % shardCount;
}

/** The advisory lock that writers of a shard share and that closing it takes alone: two 32-bit keys. */
export function shardLock(shard: string): readonly [classId: number, objectId: number] {
  return [0x52_4a_4e, shardNumber(shard)];
}
