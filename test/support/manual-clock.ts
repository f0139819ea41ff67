import type { Clock } from '../../core/ports/clock';

/** A clock that stands still until a test moves it; sleeping moves it at once. */
export class ManualClock implements Clock {
  constructor(private atMs = Date.UTC(2026, 0, 1)) {}

  nowMs(): number {
    return this.atMs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.atMs += durationMs;
  }

  advance(durationMs: number): void {
    this.atMs += durationMs;
  }
}
