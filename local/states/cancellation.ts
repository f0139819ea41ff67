import type { Interrupted } from './failure';
import { interrupted } from './failure';

/** A piece of work that can be given up, with all work inside it. Work inside is given up in the order it was begun. */
export class Cancellation {
  // Made only where somebody asks for the signal: a map has thousands of these, and controllers are dear.
  #controller: AbortController | null = null;
  #cancelled = false;
  readonly #inside = new Set<Cancellation>();
  readonly #parent: Cancellation | null;
  readonly #waiters = new Set<(reason: Interrupted) => void>();

  constructor(parent: Cancellation | null = null) {
    this.#parent = parent;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#cancelled) {
        this.#controller.abort(interrupted);
      }
    }
    return this.#controller.signal;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  inside(): Cancellation {
    const child = new Cancellation(this);
    if (this.cancelled) {
      child.cancel();
    } else {
      this.#inside.add(child);
    }
    return child;
  }

  /** Gives the work up: its timers, tasks and waits end at once. Safe to repeat. */
  cancel(): void {
    if (this.cancelled) {
      return;
    }
    this.#cancelled = true;
    for (const child of [...this.#inside]) {
      child.cancel();
    }
    this.#controller?.abort(interrupted);
    for (const waiter of [...this.#waiters]) {
      waiter(interrupted);
    }
    this.#waiters.clear();
    this.#parent?.forget(this);
  }

  /** Ends the tie to the work around, once this work is done or given up. */
  close(): void {
    this.#parent?.forget(this);
  }

  private forget(child: Cancellation): void {
    this.#inside.delete(child);
  }

  /** @throws Interrupted */
  assertLive(): void {
    if (this.cancelled) {
      throw interrupted;
    }
  }

  /** What `work` comes to, or Interrupted as soon as the work is given up. */
  async orInterrupted<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.cancelled) {
        work.catch(() => undefined);
        reject(interrupted);
        return;
      }
      this.#waiters.add(reject);
      work.then(
        (value) => {
          this.#waiters.delete(reject);
          resolve(value);
        },
        (error: unknown) => {
          this.#waiters.delete(reject);
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }
}
