import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../core/ports/clock';

/** The computer's own time. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async (durationMs, signal) => {
    await delay(durationMs, undefined, signal === undefined ? {} : { signal });
  },
};
