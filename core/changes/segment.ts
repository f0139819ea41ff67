import type { LogPosition } from '../cluster/position';
import { positionBytes, positionOf } from '../cluster/position';
import { RejoinError } from '../errors';
import { ByteWriter } from './byte-writer';

/**
 * The body of a change segment: messages as they came out of the slot, nothing lost and nothing interpreted, so that a
 * later reader may know more than the writer did. Not compressed: that is done where objects are written.
 *
 *     version (1 byte) from (8 bytes) to (8 bytes) { position (8 bytes) length (4 bytes) message }*
 *
 * All numbers are big-endian. The messages are whole transactions in the order of their commits, all of them after `from`
 * and at or before `to`. Each body has the Relation messages that its rows need.
 */
const version = 1;
const headerBytes = 17;
const frameBytes = 12;

/** Collects messages; cut back to a transaction's end when one too many was read. */
export class SegmentWriter {
  private readonly writer = new ByteWriter();

  constructor() {
    this.writer.length = headerBytes;
  }

  /** Bytes so far, header included. */
  get bytes(): number {
    return this.writer.length;
  }

  /** Appends the message `from[start..end)`, whose position is the 8 bytes of `from` at `positionAt`. */
  add(from: Buffer, positionAt: number, start: number, end: number): void {
    const { writer } = this;
    writer.copy(from, positionAt, positionAt + 8);
    writer.reserve(4 + end - start);
    writer.length = writer.buffer.writeUInt32BE(end - start, writer.length);
    writer.copy(from, start, end);
  }

  /** Forgets what came after the first `bytes` bytes. */
  cutTo(bytes: number): void {
    this.writer.length = bytes;
  }

  finish(from: LogPosition, to: LogPosition): Buffer {
    const { buffer } = this.writer;
    buffer[0] = version;
    buffer.writeBigUInt64BE(positionBytes(from), 1);
    buffer.writeBigUInt64BE(positionBytes(to), 9);
    return this.writer.written();
  }
}

/** Where a segment begins and ends in its slot's log. @throws ChunkDamaged when it is not a segment */
export function segmentBounds(body: Buffer): { readonly from: LogPosition; readonly to: LogPosition } {
  if (body.length < headerBytes || body[0] !== version) {
    throw new RejoinError(
      'ChunkDamaged',
      `these ${body.length} bytes are not a change segment of version ${version} (first byte: ${body[0] ?? 'none'}); read the object again, or capture the range again`,
    );
  }
  return { from: positionOf(body.readBigUInt64BE(1)), to: positionOf(body.readBigUInt64BE(9)) };
}

/** Goes through the messages of a segment in order. */
export class SegmentReader {
  /** Where the message is in the body: `[start, end)`. */
  start = headerBytes;
  end = headerBytes;

  constructor(private readonly body: Buffer) {
    segmentBounds(body);
  }

  /** Moves on to the next message; false when there is none. @throws ChunkDamaged when the body ends within it */
  next(): boolean {
    const { body, end: at } = this;
    if (at === body.length) {
      return false;
    }
    this.start = at + frameBytes;
    this.end = this.start <= body.length ? this.start + body.readUInt32BE(at + 8) : Infinity;
    if (this.end > body.length) {
      throw new RejoinError(
        'ChunkDamaged',
        `a change segment of ${body.length} bytes ends within the message at byte ${at}; read the object again, or capture the range again`,
      );
    }
    return true;
  }
}
