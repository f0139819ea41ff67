import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Workplace } from './support/command-line';

const small = ['rehearse', '--rows', '1000', '--shards', '2', '--nodes', '3', '--rate', '20'];

let workplace: Workplace;
beforeEach(() => {
  workplace = new Workplace();
});
afterEach(async () => {
  await workplace.remove();
});

/** A disk of so many MiB at a directory, unmounted by what it gives back; null where only an administrator may do that. */
function smallDisk(path: string, mebibytes: number): (() => void) | null {
  mkdirSync(path);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0711`, 'tmpfs', path]);
  return mounted.status === 0
    ? () => {
        spawnSync('umount', [path]);
      }
    : null;
}

test('a disk that is too small is named before anything is begun, and nothing is left on it', async () => {
  const disk = join(workplace.folder, 'disk');
  const unmount = smallDisk(disk, 64);
  // Without the right to mount, the largest rehearsal has to do.
  const argv = unmount === null ? ['rehearse', '--rows', '20000000'] : small;
  try {
    const { code, output, errors } = await workplace.start(argv, unmount === null ? {} : { TMPDIR: disk }).ended;
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(errors).toMatch(/^rejoin: the disk of [^\n]+ free, and about [^\n]+ are needed; make room[^\n]+\n$/);
    expect(
      readdirSync(unmount === null ? join(workplace.folder, 'tmp') : disk).filter((name) => !name.startsWith('tsx-')),
    ).toEqual([]);
    expect(existsSync(join(workplace.folder, '.rejoin', 'rehearsal'))).toBe(false);
  } finally {
    unmount?.();
  }
}, 120_000);
