import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** One `COPY … FROM stdin` that is fed piece by piece and no faster than the server takes it. */
export class CopyStream {
  private readonly stream: ReturnType<typeof copyFrom>;
  private readonly failed: Promise<never>;

  constructor(client: Client, statement: string) {
    this.stream = client.query(copyFrom(statement));
    this.failed = new Promise((_resolve, reject) => {
      this.stream.once('error', reject);
    });
    // Also before anybody waits for it.
    this.failed.catch(() => undefined);
  }

  /** @throws what the server says about the rows so far */
  async write(piece: Buffer): Promise<void> {
    const taken = new Promise<void>((resolve) => {
      this.stream.write(piece, () => {
        resolve();
      });
    });
    await Promise.race([taken, this.failed]);
  }

  /** Tells the server that no more rows come, so that the session can go on. Not after a failure. */
  abandon(): void {
    this.stream.destroy();
  }

  /** @returns rows copied */
  async end(): Promise<number> {
    const finished = new Promise<void>((resolve) => {
      this.stream.once('finish', resolve);
      this.stream.end();
    });
    await Promise.race([finished, this.failed]);
    return this.stream.rowCount;
  }
}
