import type { Socket } from 'node:net';
import { clearFlow, type Flow } from './flow';

/** What waits for its moment: bytes, the end of the stream, or the news that it broke. */
type Parcel =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly dueMs: number }
  | { readonly kind: 'end' | 'broken'; readonly dueMs: number };

/** More than this waiting, and the sender is made to wait too. */
const queueLimitBytes = 4 * 1024 * 1024;

/**
 * One direction of a connection: bytes that come out of one socket go into the other, as its flow allows. While nothing is
 * wrong each chunk is passed on at once, without a queue or a timer.
 */
export class Channel {
  private flow: Flow = clearFlow;
  private readonly queue: Parcel[] = [];
  private queuedBytes = 0;
  private timer: NodeJS.Timeout | null = null;
  /** When the link is free again: each chunk takes its size divided by the bandwidth. */
  private freeAtMs = 0;
  /** Whether `to` has said that its buffer is full. */
  private full = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
  ) {
    from.on('data', (bytes: Buffer) => {
      this.take(bytes);
    });
    from.on('end', () => {
      this.put({ kind: 'end', dueMs: this.dueMs(0) });
    });
    from.on('error', () => {
      this.put({ kind: 'broken', dueMs: this.dueMs(0) });
    });
    const writableAgain = (): void => {
      this.full = false;
      this.deliver();
    };
    to.on('drain', writableAgain);
    // What still comes is for nobody, but its end has to be read.
    to.on('close', writableAgain);
  }

  /** Changes the flow from now on. */
  set(flow: Flow): void {
    this.flow = flow;
    this.deliver();
  }

  close(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
      this.timer = null;
    }
    this.queue.length = 0;
  }

  private get shaped(): boolean {
    return this.flow.state !== 'open' || this.flow.delayMs > 0 || this.flow.bytesPerSecond !== null;
  }

  private take(bytes: Buffer): void {
    if (!this.shaped && this.queue.length === 0) {
      this.write(bytes);
      this.regulate();
      return;
    }
    this.put({ kind: 'bytes', bytes, dueMs: this.dueMs(bytes.length) });
  }

  private put(parcel: Parcel): void {
    this.queue.push(parcel);
    this.queuedBytes += parcel.kind === 'bytes' ? parcel.bytes.length : 0;
    this.deliver();
  }

  private dueMs(sizeBytes: number): number {
    const nowMs = performance.now();
    const { bytesPerSecond, delayMs } = this.flow;
    if (bytesPerSecond === null) {
      return nowMs + delayMs;
    }
    this.freeAtMs = Math.max(nowMs, this.freeAtMs) + (sizeBytes / bytesPerSecond) * 1000;
    return this.freeAtMs + delayMs;
  }

  private deliver(): void {
    while (this.flow.state === 'open' && !this.full) {
      const parcel = this.queue[0];
      if (parcel === undefined || !this.isDue(parcel)) {
        break;
      }
      this.queue.shift();
      this.hand(parcel);
    }
    this.regulate();
  }

  private isDue(parcel: Parcel): boolean {
    const waitMs = this.shaped ? parcel.dueMs - performance.now() : 0;
    if (waitMs <= 0) {
      return true;
    }
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.deliver();
    }, waitMs);
    return false;
  }

  private hand(parcel: Parcel): void {
    switch (parcel.kind) {
      case 'bytes':
        this.queuedBytes -= parcel.bytes.length;
        this.write(parcel.bytes);
        break;
      case 'end':
        this.to.end();
        break;
      case 'broken':
        this.to.resetAndDestroy();
        break;
    }
  }

  private write(bytes: Buffer): void {
    if (this.to.writable) {
      this.full = !this.to.write(bytes);
    }
  }

  /** Lets the sender feel what the receiver, the bandwidth or the partition holds back. */
  private regulate(): void {
    const hold = this.full || this.flow.state === 'partitioned' || this.queuedBytes > queueLimitBytes;
    if (hold !== this.from.isPaused()) {
      if (hold) {
        this.from.pause();
      } else {
        this.from.resume();
      }
    }
  }
}
