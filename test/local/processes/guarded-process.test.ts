import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GuardedProcess, killTree } from '../../../local/processes/guarded-process';
import { descendantsOf, readProcess } from '../../../local/processes/process-table';
import { expectError } from '../../contract/expect-error';
import { eventually } from '../../contract/gaps';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rejoin-test-processes-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const start = (script: string): Promise<GuardedProcess> =>
  GuardedProcess.start({
    argv: ['/bin/sh', '-c', script],
    environment: { PATH: process.env['PATH'] ?? '', WORD: 'hello' },
    workingDirectory: folder,
    logFile: join(folder, 'log'),
    user: null,
  });

const isLiving = (pid: number): boolean => readProcess(pid)?.ended === false;

test('runs the command as its own group’s leader, with only the given environment, and logs what it says', async () => {
  const started = await start('echo "$WORD from $PWD"; echo "home=$HOME" >&2; exit 3');
  expect(await started.ended).toEqual({ code: 3, signal: null });
  expect(await readFile(join(folder, 'log'), 'utf8')).toBe(`hello from ${folder}\nhome=\n`);
  expect(started.exit).toEqual({ code: 3, signal: null });
});

test('a kill ends grandchildren too, also those that have left the group', async () => {
  const deserter = `require('child_process').spawn('sleep', ['60'], { detached: true }); setInterval(() => 0, 1e6)`;
  const started = await start(`sleep 60 & "${process.execPath}" -e "${deserter}" & wait`);
  const members = await eventually(
    async () => descendantsOf(started.pid).map((entry) => entry.pid),
    (pids) => pids.length === 3,
  );
  await started.kill();
  expect([started.pid, ...members].filter(isLiving)).toEqual([]);
  expect(started.exit).toEqual({ code: null, signal: 'SIGKILL' });
  await started.kill();
});

test('when the process ends by itself, what is left of its group is ended', async () => {
  const started = await start('sleep 60 & echo $! > child; exit 0');
  await started.ended;
  const child = Number(await readFile(join(folder, 'child'), 'utf8'));
  const living = await eventually(
    async () => isLiving(child),
    (answer) => !answer,
    2_000,
  );
  expect(living).toBe(false);
});

test('paused, nothing of it goes on; resumed, everything does', async () => {
  const started = await start('i=0; while :; do i=$((i+1)); echo $i > count; sleep 0.01; done');
  const count = async (): Promise<number> => Number(await readFile(join(folder, 'count'), 'utf8').catch(() => '0'));
  await eventually(count, (number) => number > 2);
  started.pause();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const paused = await count();
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(await count()).toBe(paused);
  started.resume();
  await eventually(count, (number) => number > paused + 2);
  await started.kill();
});

test('killTree spares a process that began at another time', async () => {
  const started = await start('sleep 60');
  await killTree(started.pid, 'another time');
  expect(isLiving(started.pid)).toBe(true);
  await killTree(started.pid, started.startedAt);
  expect(isLiving(started.pid)).toBe(false);
});

test('says what can’t be run', async () => {
  const started = GuardedProcess.start({
    argv: ['/bin/sh'],
    environment: {},
    workingDirectory: join(folder, 'nowhere'),
    logFile: join(folder, 'log'),
    user: null,
  });
  await expectError(started, 'NotFound', '/bin/sh', 'nowhere');
});
