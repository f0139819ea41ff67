import { Worker, type WorkerSettings } from './worker';

/**
 * Processes that have been started ahead and wait for a function: starting Node.js is most of a cold start. There are spare
 * ones for the memory figures that have been asked for.
 */
export class WorkerPool {
  private readonly spares = new Map<number, Worker[]>();
  private readonly all = new Set<Worker>();
  private closed = false;

  constructor(
    private readonly settings: Omit<WorkerSettings, 'memoryMiB'>,
    private readonly sparesEach: number,
  ) {}

  /** Starts spare processes of this figure. */
  prepare(memoryMiB: number): void {
    const spares = this.spares.get(memoryMiB) ?? [];
    this.spares.set(memoryMiB, spares);
    while (!this.closed && spares.length < this.sparesEach) {
      spares.push(this.start(memoryMiB));
    }
  }

  /** A process that nobody else has. Another one is started in its stead. */
  take(memoryMiB: number): Worker {
    const spares = this.spares.get(memoryMiB) ?? [];
    let worker = spares.shift();
    while (worker?.usable === false) {
      worker = spares.shift();
    }
    worker ??= this.start(memoryMiB);
    this.prepare(memoryMiB);
    return worker;
  }

  /** Ends every process, taken or not. */
  async close(): Promise<void> {
    this.closed = true;
    const workers = [...this.all];
    workers.forEach((worker) => {
      worker.kill();
    });
    await Promise.all(workers.map(async ({ ended }) => ended));
  }

  private start(memoryMiB: number): Worker {
    const worker = new Worker({ ...this.settings, memoryMiB });
    this.all.add(worker);
    void worker.ended.then(() => this.all.delete(worker));
    return worker;
  }
}
