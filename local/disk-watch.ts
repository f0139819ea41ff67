import { setTimeout as delay } from 'node:timers/promises';
import { RejoinError } from '../core/errors';
import { byteText } from '../core/evidence/words';
import { freeBytes } from './disk-space';

/** With less than this a server may die in the middle of a write, and says so where nobody looks. */
const reserveBytes = 33_554_432;
const everyMs = 500;

/**
 * Watches the disks that a run writes to, and aborts it before they are full: what a full disk breaks first is a matter of
 * chance, and seldom says why.
 */
export class DiskWatch {
  private readonly paths: string[] = [];
  private readonly full = new AbortController();
  private readonly ending = new AbortController();

  /** `measure`: what is free on the disk of a path. */
  constructor(private readonly measure: (path: string) => Promise<number> = freeBytes) {
    void this.lookAgainAndAgain();
  }

  /** Aborted, with NoDiskSpace as its reason, once a disk has too little left. */
  get signal(): AbortSignal {
    return this.full.signal;
  }

  /** Watches the disk of a directory that is there. */
  add(path: string): void {
    this.paths.push(path);
  }

  /** Why a run could not go on: the disk, where one is full at this moment; otherwise what was thrown. */
  async explain(thrown: unknown): Promise<unknown> {
    await this.look();
    return this.full.signal.aborted ? this.full.signal.reason : thrown;
  }

  close(): void {
    this.ending.abort();
  }

  private async lookAgainAndAgain(): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted && !this.full.signal.aborted) {
      await this.look();
      await delay(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  private async look(): Promise<void> {
    for (const path of this.paths) {
      // A directory that is gone fills no disk.
      const free = await this.measure(path).catch(() => null);
      if (free !== null && free < reserveBytes) {
        const said = `the disk of ${path} has ${byteText(free)} left, and a rehearsal ends when less than ${byteText(reserveBytes)} are; make room and start it again`;
        this.full.abort(new RejoinError('NoDiskSpace', said));
      }
    }
  }
}
