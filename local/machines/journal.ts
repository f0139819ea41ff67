import { appendFileSync, closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { RejoinError } from '../../core/errors';
import { removeRemains } from '../postgresql/server';
import { killTree } from '../processes/guarded-process';
import { readProcess } from '../processes/process-table';

const processSchema = z.object({ pid: z.number(), startedAt: z.string(), boot: z.string() });

const entrySchema = z.discriminatedUnion('kind', [
  processSchema.extend({ kind: z.literal('run') }),
  processSchema.extend({ kind: z.literal('process') }),
  z.object({ kind: z.literal('ended') }),
  z.object({ kind: z.literal('directory'), path: z.string() }),
  z.object({ kind: z.literal('data'), path: z.string() }),
]);
type Entry = z.infer<typeof entrySchema>;

/**
 * What a run has started and where it has put things, so that a later one can clean up after it. Written before or at the
 * moment it happens. A process is named by pid, start time and boot, so that another one of the same pid is never ended.
 */
export class Journal {
  private constructor(private readonly path: string) {}

  /** Opens the journal of this run; cleans up first what a killed run has left. @throws ApiRefused while another run uses the directory */
  static async open(stateDirectory: string): Promise<Journal> {
    await mkdir(stateDirectory, { recursive: true });
    await cleanUpLeftovers(stateDirectory);
    const path = journalPath(stateDirectory);
    const own = readProcess(process.pid);
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, line({ kind: 'run', pid: process.pid, startedAt: own?.startedAt ?? '', boot: bootId() }));
      closeSync(file);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') {
        throw new RejoinError('ApiRefused', `another run has just begun to use ${stateDirectory}; wait for its end`);
      }
      throw thrown;
    }
    return new Journal(path);
  }

  addProcess(started: { readonly pid: number; readonly startedAt: string }): void {
    this.add({ kind: 'process', pid: started.pid, startedAt: started.startedAt, boot: bootId() });
  }

  /** A directory to be removed. */
  addDirectory(path: string): void {
    this.add({ kind: 'directory', path });
  }

  /** A data directory: a server that was killed on it leaves shared memory. */
  addDataDirectory(path: string): void {
    this.add({ kind: 'data', path });
  }

  /** Removes what the journal names, and the journal: for a run that did not come to begin. */
  async undo(): Promise<void> {
    await endAndRemove(readEntries(this.path));
    this.close('nothing');
  }

  /** Nothing is left, or files only: the journal stays with them, so that the next run removes them. */
  close(left: 'nothing' | 'files'): void {
    if (left === 'files') {
      this.add({ kind: 'ended' });
    } else {
      rmSync(this.path, { force: true });
    }
  }

  private add(entry: Entry): void {
    appendFileSync(this.path, line(entry));
  }
}

/**
 * Ends and removes what a killed run has left behind. Nothing to do is no error.
 *
 * @throws ApiRefused while that run lives
 */
export async function cleanUpLeftovers(stateDirectory: string): Promise<void> {
  const path = journalPath(stateDirectory);
  const entries = readEntries(path);
  const ended = entries.some((entry) => entry.kind === 'ended');
  const run = ended ? undefined : entries.find((entry) => entry.kind === 'run');
  const owner = run?.boot === bootId() ? readProcess(run.pid) : null;
  if (run !== undefined && owner?.startedAt === run.startedAt && !owner.ended) {
    throw new RejoinError(
      'ApiRefused',
      `a run (process ${run.pid}) uses ${stateDirectory}; end it, or choose another state directory`,
    );
  }
  await endAndRemove(entries);
  await rm(path, { force: true });
}

async function endAndRemove(entries: readonly Entry[]): Promise<void> {
  const boot = bootId();
  for (const entry of entries) {
    if (entry.kind === 'process' && entry.boot === boot) {
      await killTree(entry.pid, entry.startedAt);
    }
  }
  for (const entry of entries) {
    if (entry.kind === 'data') {
      await removeRemains(entry.path, null);
    }
  }
  for (const entry of entries) {
    if (entry.kind === 'directory') {
      await rm(entry.path, { recursive: true, force: true });
    }
  }
}

function readEntries(path: string): readonly Entry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((json) => {
    try {
      return [entrySchema.parse(JSON.parse(json))];
    } catch {
      // The last line of a killed run may be cut short, and then its process has ended by itself.
      return [];
    }
  });
}

function journalPath(stateDirectory: string): string {
  return join(stateDirectory, 'machines.jsonl');
}

/** Linux counts start times from the boot, so they repeat after the next one; elsewhere they are dates. */
export function bootId(): string {
  return process.platform === 'linux' ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : '';
}

function line(entry: Entry): string {
  return `${JSON.stringify(entry)}\n`;
}
