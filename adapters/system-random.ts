import { randomBytes } from 'node:crypto';
import type { Random } from '../core/ports/clock';

/** The computer's own randomness. */
export const systemRandom: Random = {
  // 53 bits: all that a number in [0, 1) holds.
  next: () => Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** 53,
};
