/** Does one thing after the other, each begun `pauseMs` after the one before or as soon as that has ended. */
export class PacedLoop {
  private stopped = false;

  constructor(
    private readonly pauseMs: number,
    private readonly once: () => Promise<void>,
  ) {}

  /** Resolves when it has been stopped and the last one has ended. */
  async run(): Promise<void> {
    while (!this.stopped) {
      const begunAtMs = Date.now();
      await this.once();
      const leftMs = this.pauseMs - (Date.now() - begunAtMs);
      if (leftMs > 0) {
        await new Promise((resolve) => setTimeout(resolve, leftMs));
      }
    }
  }

  stop(): void {
    this.stopped = true;
  }
}
