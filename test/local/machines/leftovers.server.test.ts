import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../adapters/system-clock';
import { cleanUpLeftovers } from '../../../local/machines/journal';
import { MachineRoom } from '../../../local/machines/machine-room';
import { readProcess } from '../../../local/processes/process-table';
import { expectError } from '../../contract/expect-error';
import { eventually } from '../../contract/gaps';

interface Report {
  readonly started: readonly { readonly pid: number; readonly startedAt: string }[];
  readonly address: string;
  readonly directory: string;
}

let stateDirectory: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), 'rejoin-test-leftovers-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await cleanUpLeftovers(stateDirectory);
  await rm(stateDirectory, { recursive: true, force: true });
});

/** Starts a run in a process of its own and waits until its machine runs. */
async function startRun(): Promise<{ readonly run: ChildProcess; readonly report: Report }> {
  const run = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'run-to-be-killed.ts'), stateDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(run);
  const [line] = (await once(run.stdout, 'data')) as [Buffer];
  return { run, report: JSON.parse(line.toString()) as Report };
}

const living = ({ started }: Report): number =>
  started.filter(({ pid, startedAt }) => {
    const entry = readProcess(pid);
    return entry?.startedAt === startedAt && !entry.ended;
  }).length;

test('every process of a run ends when the run is killed, and the next one removes what it left', async () => {
  const { run, report } = await startRun();
  expect(living(report)).toBeGreaterThan(6);
  await expectError(cleanUpLeftovers(stateDirectory), 'ApiRefused', `process ${run.pid ?? 0}`, stateDirectory);
  expect(living(report)).toBeGreaterThan(6);

  run.kill('SIGKILL');
  await once(run, 'exit');
  await eventually(
    async () => living(report),
    (count) => count === 0,
    15_000,
  );
  expect(existsSync(report.directory)).toBe(true);
  await cleanUpLeftovers(stateDirectory);
  expect(existsSync(report.directory)).toBe(false);
  await cleanUpLeftovers(stateDirectory);
});

test('cleaning up ends at once what still runs', async () => {
  const { run, report } = await startRun();
  run.kill('SIGKILL');
  await once(run, 'exit');
  await cleanUpLeftovers(stateDirectory);
  // The relay, which is not a machine's, ends by itself.
  await eventually(
    async () => living(report),
    (count) => count === 0,
    2_000,
  );
  const { report: next } = await startRun();
  expect(living(next)).toBeGreaterThan(6);
});

test('never ends a process that only has the number of one of ours', async () => {
  const stranger = spawn('sleep', ['60']);
  children.push(stranger);
  await once(stranger, 'spawn');
  mkdirSync(stateDirectory, { recursive: true });
  const own = readProcess(stranger.pid ?? 0);
  // Elsewhere start times are dates, which do not repeat after a boot.
  const afterBoot = process.platform === 'linux' ? [{ startedAt: own?.startedAt, boot: 'another boot' }] : [];
  writeFileSync(
    join(stateDirectory, 'machines.jsonl'),
    [
      { kind: 'run', pid: stranger.pid, startedAt: 'long ago', boot: '' },
      { kind: 'process', pid: stranger.pid, startedAt: 'long ago', boot: '' },
      ...afterBoot.map((start) => ({ kind: 'process', pid: stranger.pid, ...start })),
    ]
      .map((entry) => `${JSON.stringify(entry)}\n`)
      .join(''),
  );
  appendFileSync(join(stateDirectory, 'machines.jsonl'), '{"kind":"process","pid":1');
  await cleanUpLeftovers(stateDirectory);
  expect(readProcess(stranger.pid ?? 0)?.ended).toBe(false);
  expect(existsSync(join(stateDirectory, 'machines.jsonl'))).toBe(false);
});

test('nothing to clean up is no error', async () => {
  await expect(cleanUpLeftovers(join(stateDirectory, 'never used'))).resolves.toBeUndefined();
});

test('a room that can’t be opened leaves nothing behind', async () => {
  const file = join(stateDirectory, 'file');
  writeFileSync(file, '');
  const open = (directory: string): Promise<MachineRoom> =>
    MachineRoom.open({ clock: systemClock, stateDirectory: directory, clusters: [] });
  await expect(open(file)).rejects.toThrow('EEXIST');
  const room = await open(stateDirectory);
  await expectError(open(stateDirectory), 'ApiRefused', 'uses', stateDirectory);
  await room.close();
  expect(readdirSync(stateDirectory)).toEqual(['file']);
});
