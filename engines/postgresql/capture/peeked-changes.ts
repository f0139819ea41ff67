import { positionOf, type LogPosition } from '../../../core/cluster/position';
import { decodeMessage, kindOfMessage } from '../../../core/changes/pgoutput';
import { SegmentWriter } from '../../../core/changes/segment';
import { RejoinError } from '../../../core/errors';
import type { CapturedChanges } from '../../../core/ports/database-engine';

/** Signature, flags and the length of an extension, which is empty, of COPY's binary format. */
const copyHeaderBytes = 19;
/** Field count, length of the position, position, length of the message. */
const rowHeaderBytes = 18;
const lengthAt = 14;
const positionAt = 6;

interface Taken {
  readonly bytes: number;
  readonly rows: number;
  readonly transactions: number;
  /** Where the last of the transactions ends in the log. */
  readonly to: bigint;
}

/** Makes a segment of (position, message) rows in COPY binary format, as they arrive. */
export class PeekedChanges {
  /** The server's answer was read to its end. */
  complete = false;
  messages = 0;
  private readonly writer = new SegmentWriter();
  private rows = 0;
  /** Whole transactions so far. */
  private taken: Taken | null = null;
  private pieces: Buffer[] = [];
  private waitingBytes = 0;
  private neededBytes = copyHeaderBytes;
  private headerRead = false;

  constructor(
    private readonly limits: { readonly slot: string; readonly maxBytes: number; readonly ceilingBytes: number },
  ) {}

  /** Size of what was read, header included. */
  get bytes(): number {
    return this.writer.bytes;
  }

  /** @throws SqlFailed when one transaction exceeds the ceiling */
  take(piece: Buffer): 'more' | 'enough' {
    this.pieces.push(piece);
    this.waitingBytes += piece.length;
    if (this.waitingBytes < this.neededBytes) {
      return 'more';
    }
    const waiting = this.pieces.length === 1 ? piece : Buffer.concat(this.pieces);
    let at = 0;
    if (!this.headerRead) {
      this.headerRead = true;
      at = copyHeaderBytes;
    }
    while (!this.complete) {
      const next = this.takeRow(waiting, at);
      if (next === 'enough') {
        return next;
      }
      if (next === at) {
        break;
      }
      at = next;
    }
    this.pieces = at === waiting.length ? [] : [waiting.subarray(at)];
    this.waitingBytes = waiting.length - at;
    return 'more';
  }

  /** The whole transactions that were read, or null when there was none. */
  result(from: LogPosition, drained: boolean): CapturedChanges | null {
    if (this.taken === null) {
      return null;
    }
    const { bytes, rows, transactions, to } = this.taken;
    this.writer.cutTo(bytes);
    const end = positionOf(to);
    return { body: this.writer.finish(from, end), from, to: end, rows, transactions, drained };
  }

  /** @returns where the next row begins; `at` itself when this one has not arrived yet */
  private takeRow(waiting: Buffer, at: number): number | 'enough' {
    const available = waiting.length - at;
    if (available >= 2 && waiting.readInt16BE(at) === -1) {
      this.complete = true;
      return at + 2;
    }
    if (available < rowHeaderBytes) {
      // The answer's end is 2 bytes only.
      this.neededBytes = available < 2 ? 2 : rowHeaderBytes;
      return at;
    }
    const start = at + rowHeaderBytes;
    const end = start + waiting.readUInt32BE(at + lengthAt);
    if (end > waiting.length) {
      this.neededBytes = end - at;
      return at;
    }
    return this.takeMessage(waiting, { positionAt: at + positionAt, start, end }) === 'enough' ? 'enough' : end;
  }

  private takeMessage(
    waiting: Buffer,
    message: { readonly positionAt: number; readonly start: number; readonly end: number },
  ): 'more' | 'enough' {
    const { writer, limits } = this;
    const { start, end } = message;
    const sizeBytes = writer.bytes + end - start;
    if (this.taken === null && sizeBytes > Math.max(limits.ceilingBytes, limits.maxBytes)) {
      throw tooLarge(limits, sizeBytes);
    }
    writer.add(waiting, message.positionAt, start, end);
    this.messages += 1;
    switch (kindOfMessage(waiting[start])) {
      case 'change':
        this.rows += 1;
        break;
      case 'commit':
        // What was taken before stays when this transaction is the one too many.
        if (this.taken === null || writer.bytes <= limits.maxBytes) {
          this.takeTransaction(waiting, start, end);
        }
        break;
      case 'relation':
      case 'other':
    }
    return this.taken !== null && writer.bytes > limits.maxBytes ? 'enough' : 'more';
  }

  private takeTransaction(waiting: Buffer, start: number, end: number): void {
    const commit = decodeMessage(waiting, start, end);
    if (commit.kind === 'commit') {
      const transactions = (this.taken?.transactions ?? 0) + 1;
      this.taken = { bytes: this.writer.bytes, rows: this.rows, transactions, to: commit.end };
    }
  }
}

function tooLarge(limits: { readonly slot: string; readonly ceilingBytes: number }, sizeBytes: number): RejoinError {
  return new RejoinError(
    'SqlFailed',
    `the next transaction in slot '${limits.slot}' has more than ${sizeBytes} bytes of changes, and at most ${limits.ceilingBytes} can be captured; make a new full backup and a new slot, and write less in one transaction`,
  );
}
