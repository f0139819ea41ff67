import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../core/ports/clock';

/** setTimeout counts milliseconds in 32 bits: longer sleeps are taken in pieces. */
const longestTimerMs = 2 ** 31 - 1;

/** The computer's own time. A timer may fire a little early; a sleep never ends before its time. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async (durationMs, signal) => {
    const wakeAtMs = Date.now() + durationMs;
    do {
      const restMs = Math.min(longestTimerMs, Math.max(0, wakeAtMs - Date.now()));
      await delay(restMs, undefined, signal === undefined ? {} : { signal }).catch((thrown: unknown) => {
        // Whoever gave the sleep up said why.
        signal?.throwIfAborted();
        throw thrown;
      });
    } while (Date.now() < wakeAtMs);
  },
};
