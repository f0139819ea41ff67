import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';

/** What a scenario does to the registry. Nothing, unless it is told to. */
export class RegistryFaults {
  /** Every call fails. */
  down = false;
  /** Added to every call. */
  latencyMs = 0;
  private throttled = 0;
  private unanswered = 0;

  /** The next `calls` calls fail before they do anything. */
  throttleNext(calls: number): void {
    this.throttled += calls;
  }

  /** The next `writes` writes happen, but their callers get an error. */
  loseAnswers(writes: number): void {
    this.unanswered += writes;
  }

  /** Before a call. @throws RegistryThrottled */
  async before(clock: Clock): Promise<void> {
    if (this.latencyMs > 0) {
      await clock.sleep(this.latencyMs);
    }
    if (this.down) {
      throw new RejoinError('RegistryThrottled', 'the registry does not answer; try again');
    }
    if (this.throttled > 0) {
      this.throttled--;
      throw new RejoinError('RegistryThrottled', 'the registry has too many requests; try again');
    }
  }

  /** After a write. @throws RegistryThrottled though it happened */
  afterWrite(): void {
    if (this.unanswered > 0) {
      this.unanswered--;
      throw new RejoinError('RegistryThrottled', 'the answer of the registry was lost; try again');
    }
  }
}
