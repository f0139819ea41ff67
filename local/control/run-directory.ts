import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { messageOf, RejoinError } from '../../core/errors';
import { nameFullDisk } from '../disk-space';
import { bootId, cleanUpLeftovers } from '../machines/journal';
import { readProcess } from '../processes/process-table';

/** Whose directory it is stands in the name of a file, so that taking it over is one rename. */
const markerPattern = /^run\.(?:ended|(\d+)\.[0-9a-f]{16})$/;
const endedMarker = 'run.ended';

/** A directory that belongs to one run at a time. */
export class RunDirectory {
  private constructor(
    readonly path: string,
    private readonly marker: string,
  ) {}

  /** Where the machines of a run keep their journal: what a killed run left running is found there. */
  get machines(): string {
    return machinesIn(this.path);
  }

  /**
   * Makes the directory this process' own, empty. What a killed run has left in it is ended and removed.
   *
   * @param say gets one line when there was something to clean up
   * @throws ApiRefused while another run uses it; InvalidInput when something else is in it, or it is somebody else's;
   *   NoDiskSpace
   */
  static async claim(directory: string, say: (line: string) => void): Promise<RunDirectory> {
    const path = resolve(directory);
    try {
      return await RunDirectory.claimPath(path, say);
    } catch (thrown) {
      throw nameClosedPlace(thrown, path);
    }
  }

  private static async claimPath(path: string, say: (line: string) => void): Promise<RunDirectory> {
    const marker = markerOf(process.pid);
    if (await makeNew(path, marker)) {
      return new RunDirectory(path, marker);
    }
    const found = (await readdir(path)).filter((name) => markerPattern.test(name));
    const [theirs] = found;
    if (theirs === undefined) {
      throw new RejoinError('InvalidInput', `${path} is not empty and not of a run; choose another directory`);
    }
    refuseWhileOwned(path, theirs);
    if (theirs !== endedMarker) {
      say(`cleaning up ${path}, which a run has left that was killed`);
    }
    await takeOver(path, theirs, marker);
    await cleanUpLeftovers(machinesIn(path));
    for (const name of await readdir(path)) {
      if (name !== marker) {
        await rm(join(path, name), { recursive: true, force: true });
      }
    }
    return new RunDirectory(path, marker);
  }

  /** Gives it up. `keep`: for people to look at, until another run takes it; otherwise it is removed. */
  async release({ keep }: { readonly keep: boolean }): Promise<void> {
    if (keep) {
      await rename(join(this.path, this.marker), join(this.path, endedMarker));
    } else {
      await rm(this.path, { recursive: true, force: true });
    }
  }
}

function machinesIn(path: string): string {
  return join(path, 'machines');
}

/** InvalidInput where the system lets us write nothing at a path; anything else is given back as it was thrown. */
export function nameClosedPlace(thrown: unknown, path: string): unknown {
  const code = (thrown as NodeJS.ErrnoException).code ?? '';
  return ['EACCES', 'EPERM', 'EROFS'].includes(code)
    ? new RejoinError(
        'InvalidInput',
        `${path} can't be used: ${messageOf(thrown)}; start it in a directory that you may write to, or remove what another user has left there`,
        { cause: thrown },
      )
    : thrown;
}

/** Whether the directory was not there, or empty; then it is ours, with its marker, in one step. */
async function makeNew(path: string, marker: string): Promise<boolean> {
  const draft = join(dirname(path), `.${randomUUID()}`);
  try {
    await mkdir(draft, { recursive: true, mode: 0o700 });
    await writeFile(join(draft, marker), '', { mode: 0o600 });
    await rename(draft, path);
    return true;
  } catch (thrown) {
    await rm(draft, { recursive: true, force: true });
    const code = (thrown as NodeJS.ErrnoException).code ?? '';
    if (['ENOTEMPTY', 'EEXIST'].includes(code)) {
      return false;
    }
    if (code === 'ENOTDIR') {
      throw new RejoinError('InvalidInput', `${path} is no directory; choose another one`, { cause: thrown });
    }
    throw nameFullDisk(thrown, path);
  }
}

/** @throws ApiRefused while the process that the marker names lives */
function refuseWhileOwned(path: string, marker: string): void {
  const pid = Number(markerPattern.exec(marker)?.[1] ?? 0);
  if (pid !== 0 && markerOf(pid) === marker) {
    throw new RejoinError(
      'ApiRefused',
      `a run (process ${pid}) uses ${path}; wait for its end, or work in another directory`,
    );
  }
}

/** Only one process can rename a marker away. @throws ApiRefused when it was another one */
async function takeOver(path: string, theirs: string, ours: string): Promise<void> {
  try {
    await rename(join(path, theirs), join(path, ours));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new RejoinError('ApiRefused', `another run has just begun to use ${path}; choose another directory`);
    }
    throw thrown;
  }
}

/** Pid, start time and boot name one process for ever. */
function markerOf(pid: number): string {
  const startedAt = readProcess(pid)?.startedAt ?? '';
  const digest = createHash('sha256').update(`${startedAt} ${bootId()}`).digest('hex').slice(0, 16);
  return `run.${pid}.${digest}`;
}
