import type { Clock } from '../../core/ports/clock';

interface Sleeper {
  readonly wakeAtMs: number;
  readonly order: number;
  readonly wake: () => void;
  gone: boolean;
}

/**
 * A clock that jumps to the next sleeper when nothing else is left to do, and wakes one sleeper at a time: those of the
 * same moment in the order in which they went to sleep. The same work on it runs the same way each time.
 *
 * Nothing left to do means: no promise is waiting to continue. Work outside the clock (a file, a socket) isn't seen,
 * unless it is awaited through `during`.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #asleep: Sleeper[] = [];
  #orders = 0;
  #busy = 0;
  #turnDue = false;

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        sleeper.gone = true;
        reject(signal?.reason instanceof Error ? signal.reason : new Error('the sleep was given up'));
      };
      const sleeper: Sleeper = {
        wakeAtMs: this.#nowMs + Math.max(0, durationMs),
        order: this.#orders++,
        gone: false,
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#push(sleeper);
      this.#schedule();
    });
  }

  /** What `work` comes to; time stands still until then. For work that the clock can't see. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work;
    } finally {
      this.#busy--;
      this.#schedule();
    }
  }

  /** One sleeper a turn of the event loop: whatever it continues has come to rest before the next turn. */
  #schedule(): void {
    if (this.#turnDue) {
      return;
    }
    this.#turnDue = true;
    setImmediate(() => {
      this.#turnDue = false;
      this.#wakeNext();
    });
  }

  #wakeNext(): void {
    if (this.#busy > 0) {
      return;
    }
    let next = this.#pop();
    while (next?.gone === true) {
      next = this.#pop();
    }
    if (next === null) {
      return;
    }
    this.#nowMs = next.wakeAtMs;
    next.wake();
    if (this.#asleep.length > 0) {
      this.#schedule();
    }
  }

  // A binary heap: a distributed map puts thousands to sleep at once.
  #push(sleeper: Sleeper): void {
    const heap = this.#asleep;
    let at = heap.push(sleeper) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) {
        break;
      }
      this.#swap(at, parent);
      at = parent;
    }
  }

  #pop(): Sleeper | null {
    const heap = this.#asleep;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) {
      return null;
    }
    if (heap.length > 0) {
      heap[0] = last;
      let at = 0;
      for (;;) {
        const left = 2 * at + 1;
        const right = left + 1;
        let least = at;
        if (left < heap.length && this.#before(left, least)) {
          least = left;
        }
        if (right < heap.length && this.#before(right, least)) {
          least = right;
        }
        if (least === at) {
          break;
        }
        this.#swap(at, least);
        at = least;
      }
    }
    return first;
  }

  #before(a: number, b: number): boolean {
    const left = this.#asleep[a];
    const right = this.#asleep[b];
    if (left === undefined || right === undefined) {
      return false;
    }
    return left.wakeAtMs < right.wakeAtMs || (left.wakeAtMs === right.wakeAtMs && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    const left = this.#asleep[a];
    const right = this.#asleep[b];
    if (left !== undefined && right !== undefined) {
      this.#asleep[a] = right;
      this.#asleep[b] = left;
    }
  }
}
