import type { Catcher, Retrier } from '../definition';
import type { StateFailure } from '../failure';
import type { Random } from '../../../core/ports/clock';

/**
 * Whether a Retry or Catch entry names the failure. `States.TaskFailed` stands for all but timeouts, `States.ALL` for
 * everything; nothing stands for a terminal failure.
 */
function matches(errorEquals: readonly string[], failure: StateFailure): boolean {
  if (failure.terminal) {
    return false;
  }
  const names = [...(failure.error === null ? [] : [failure.error]), ...failure.aliases];
  return errorEquals.some(
    (wanted) =>
      wanted === 'States.ALL' ||
      names.includes(wanted) ||
      (wanted === 'States.TaskFailed' && !names.includes('States.Timeout')),
  );
}

export const catcherFor = (catchers: readonly Catcher[], failure: StateFailure): Catcher | null =>
  catchers.find((catcher) => matches(catcher.errorEquals, failure)) ?? null;

/** How often each Retry entry of one visit has been used. */
export class Retries {
  readonly #retriers: readonly Retrier[];
  readonly #used: number[];

  constructor(retriers: readonly Retrier[]) {
    this.#retriers = retriers;
    this.#used = retriers.map(() => 0);
  }

  /** Milliseconds to wait before the state is tried again; null when it isn't. The first entry that names it decides. */
  nextDelayMs(failure: StateFailure, random: Random): number | null {
    const index = this.#retriers.findIndex((retrier) => matches(retrier.errorEquals, failure));
    const retrier = this.#retriers[index];
    const used = this.#used[index] ?? 0;
    if (retrier === undefined || used >= retrier.maxAttempts) {
      return null;
    }
    this.#used[index] = used + 1;
    const grown = retrier.intervalSeconds * retrier.backoffRate ** used;
    const seconds = Math.min(grown, retrier.maxDelaySeconds ?? Infinity);
    return Math.round((retrier.jitter === 'FULL' ? random.next() * seconds : seconds) * 1000);
  }
}
