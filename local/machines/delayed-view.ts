/** What an API tells of something: what was true a while ago, as answers of AWS are eventually consistent. */
export class DelayedView<T> {
  private readonly seen: { readonly atMs: number; readonly value: T }[] = [];

  constructor(private readonly lagMs: number) {}

  /** Something is true from `atMs` on; times never go back. */
  enter(value: T, atMs: number): void {
    this.seen.push({ atMs, value });
  }

  /** What is told at `nowMs`; null: nothing yet. */
  at(nowMs: number): T | null {
    return this.seen.findLast(({ atMs }) => atMs + this.lagMs <= nowMs)?.value ?? null;
  }

  /** What is true. */
  get newest(): T | null {
    return this.seen.at(-1)?.value ?? null;
  }
}
