import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { living, Workplace } from './support/command-line';

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

/** Writes until nothing more fits. */
function fill(file: string): void {
  const megabyte = Buffer.alloc(1_048_576);
  const handle = openSync(file, 'w');
  try {
    for (;;) {
      writeSync(handle, megabyte);
    }
  } catch {
    closeSync(handle);
  }
}

function left(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => !name.startsWith('tsx-'));
}

describe.each([
  ['of the machines', 'disk', (disk: string) => ({ TMPDIR: disk })],
  ['of the run', '.rejoin', () => ({})],
])('a disk %s that fills up under load', (_which, name, environment) => {
  const disk = () => join(workplace.folder, name);
  const full = {
    code: 2,
    output: '',
    said: expect.stringMatching(
      /^rejoin: the disk of \S+ has [\d.]+ [KM]?i?B left, and a rehearsal ends when [^\n]+; make room[^\n]*$/,
    ) as string,
    alive: [],
    left: ['ballast'],
  };
  let unmount: (() => void) | null = null;
  beforeEach(() => {
    unmount = smallDisk(disk(), 640);
  });
  afterEach(() => {
    unmount?.();
  });

  test('ends the run with one sentence, and leaves neither process nor file', async () => {
    if (unmount === null) {
      process.stderr.write('not tried: only root may mount a small disk\n');
    }
    expect(unmount === null ? full : await runOnDisk()).toEqual(full);
  }, 180_000);

  async function runOnDisk() {
    const run = workplace.start([...small, '--json'], environment(disk()));
    await run.says('starts a load');
    const { processes } = run;
    fill(join(disk(), 'ballast'));
    const { code, output, errors } = await run.ended;
    // Progress before it; nothing after it.
    const said = errors.trimEnd().split('\n').at(-1);
    return { code, output, said, alive: living(processes), left: left(disk()) };
  }
});

test('a disk that is too small is named before anything is begun, and nothing is left on it', async () => {
  const disk = join(workplace.folder, 'disk');
  const unmount = smallDisk(disk, 64);
  // Without the right to mount, the largest rehearsal has to do.
  const argv = unmount === null ? ['rehearse', '--rows', '20000000'] : small;
  try {
    const { code, output, errors } = await workplace.start(argv, unmount === null ? {} : { TMPDIR: disk }).ended;
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(errors).toMatch(/^rejoin: the disk of [^\n]+ free, and about [^\n]+ are needed; make room[^\n]+\n$/);
    expect(left(unmount === null ? join(workplace.folder, 'tmp') : disk)).toEqual([]);
    expect(existsSync(join(workplace.folder, '.rejoin', 'rehearsal'))).toBe(false);
  } finally {
    unmount?.();
  }
}, 120_000);
