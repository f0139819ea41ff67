import type { Clock } from '../../core/ports/clock';

/** Keeps answers for a short while, so that one step does not ask ten times. Failures are not kept. */
export class BriefCache<T> {
  private readonly kept = new Map<string, { readonly answer: Promise<T>; readonly untilMs: number }>();

  constructor(
    private readonly clock: Clock,
    private readonly keepMs: number,
  ) {}

  /** The kept answer for `key`, or a new one. Who asks while it is being fetched gets the same. */
  async get(key: string, fetch: () => Promise<T>): Promise<T> {
    const nowMs = this.clock.nowMs();
    const kept = this.kept.get(key);
    if (kept !== undefined && kept.untilMs > nowMs) {
      return kept.answer;
    }
    const answer = fetch();
    this.kept.set(key, { answer, untilMs: nowMs + this.keepMs });
    try {
      return await answer;
    } catch (thrown) {
      this.kept.delete(key);
      throw thrown;
    }
  }
}
