import type { Random } from '../../core/ports/clock';

/**
 * Randomness that a seed replays: splitmix32 (a counter of the golden ratio through a 32-bit mixer), the same on every
 * machine, for it uses integers only. Good enough to draw faults with; not for secrets.
 *
 * `fork` gives a stream of its own, so that drawing more of one thing does not change what is drawn of another.
 */
export class Prng implements Random {
  private state: number;

  constructor(seed: number) {
    // Neighbouring seeds, the usual ones, begin far from each other.
    this.state = mix(Math.trunc(seed) ^ (Math.trunc(seed / 2 ** 32) + 0x5bd1_e995));
  }

  /** From 0 to less than 1. */
  next(): number {
    this.state = (this.state + 0x9e37_79b9) | 0;
    return (mix(this.state) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  /** @throws RangeError for an empty list */
  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)];
    if (item === undefined) {
      throw new RangeError('nothing to pick from');
    }
    return item;
  }

  fork(name: string): Prng {
    const seed = Buffer.from(name).reduce((sum, byte) => Math.imul(sum ^ byte, 0x0100_0193), 0x811c_9dc5);
    return new Prng((Math.floor(this.next() * 2 ** 32) ^ seed) >>> 0);
  }
}

function mix(given: number): number {
  let value = given;
  value = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return value ^ (value >>> 16);
}
