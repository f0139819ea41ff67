import type { Clock } from '../core/ports/clock';

/** setTimeout counts milliseconds in 32 bits: longer sleeps are taken in pieces. */
const longestTimerMs = 2 ** 31 - 1;

/** The computer's own time. */
export class RealClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    const wakeAtMs = Date.now() + durationMs;
    do {
      await timer(Math.min(longestTimerMs, Math.max(0, wakeAtMs - Date.now())), signal);
    } while (Date.now() < wakeAtMs);
  }
}

async function timer(durationMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timeout);
      reject(signal?.reason instanceof Error ? signal.reason : new Error('the sleep was given up'));
    };
    const timeout = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, durationMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
