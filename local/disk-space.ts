import { stat, statfs } from 'node:fs/promises';
import { byteText } from '../core/evidence/words';
import { messageOf, RejoinError } from '../core/errors';

const fullDisk = ['ENOSPC', 'EDQUOT'];

/** NoDiskSpace where a disk is full; anything else is given back as it was thrown. */
export function nameFullDisk(thrown: unknown, what: string): unknown {
  const code = (thrown as NodeJS.ErrnoException).code ?? '';
  return fullDisk.includes(code)
    ? new RejoinError('NoDiskSpace', `${what} can't be written: ${messageOf(thrown)}; make room on its disk`, {
        cause: thrown,
      })
    : thrown;
}

/** What is going to be written below a directory that is there. */
export interface SpaceNeed {
  readonly path: string;
  readonly bytes: number;
}

/** What a disk has to offer to those that write to it. */
export interface DiskSpace {
  readonly paths: readonly string[];
  readonly freeBytes: number;
  readonly neededBytes: number;
}

/** Looks whether disks have room before anything is begun. @throws NoDiskSpace, naming each that has not */
export async function requireSpace(needs: readonly SpaceNeed[], remedy: string): Promise<void> {
  const disks = new Map<number, DiskSpace>();
  for (const { path, bytes } of needs) {
    const { dev } = await stat(path);
    const disk = disks.get(dev);
    disks.set(dev, {
      paths: [...(disk?.paths ?? []), path],
      freeBytes: await freeBytes(path),
      neededBytes: (disk?.neededBytes ?? 0) + bytes,
    });
  }
  const problem = spaceProblem([...disks.values()], remedy);
  if (problem !== null) {
    throw problem;
  }
}

/** What is free on the disk of a file or directory for those who are not root. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** Why there is not enough room; null: there is. */
export function spaceProblem(disks: readonly DiskSpace[], remedy: string): RejoinError | null {
  const short = disks.filter(({ freeBytes, neededBytes }) => freeBytes < neededBytes);
  return short.length === 0
    ? null
    : new RejoinError(
        'NoDiskSpace',
        `${short
          .map(
            ({ paths, freeBytes, neededBytes }) =>
              `the disk of ${paths.join(' and ')} has ${byteText(freeBytes)} free, and about ${byteText(neededBytes)} are needed`,
          )
          .join('; ')}; ${remedy}`,
      );
}
