import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { RunDirectory } from '../../../local/control/run-directory';
import { readProcess } from '../../../local/processes/process-table';
import { synthesizeGreetings } from './fixtures/greeting-app';

interface Started {
  readonly pid: number;
  readonly startedAt: string;
}

let root: string;
let child: ChildProcess;
let started: readonly Started[];

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'rejoin-ending-'));
  synthesizeGreetings(join(root, 'cdk.out'));
}, 120_000);
afterAll(() => {
  rmSync(root, { recursive: true });
});

beforeEach(async () => {
  const program = join(__dirname, 'fixtures', 'cloud-to-be-ended.ts');
  child = spawn(process.execPath, ['--import', 'tsx', program, root], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  started = JSON.parse(line.toString()) as Started[];
}, 120_000);
afterEach(() => {
  child.kill('SIGKILL');
  started.filter(lives).forEach(({ pid }) => process.kill(pid, 'SIGKILL'));
});

const lives = ({ pid, startedAt }: Started): boolean => {
  const found = readProcess(pid);
  return found !== null && !found.ended && found.startedAt === startedAt;
};

async function allGone(): Promise<boolean> {
  const givesUpAtMs = Date.now() + 20_000;
  while (started.some(lives) && Date.now() < givesUpAtMs) {
    await delay(20);
  }
  return !started.some(lives);
}

test('a cloud that is interrupted ends all its processes, gives up its directory, and ends by that signal', async () => {
  const said = text(child.stderr as NodeJS.ReadableStream);
  expect(started.filter(lives).length).toBeGreaterThanOrEqual(3);
  child.kill('SIGINT');
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect([code, signal]).toEqual([null, 'SIGINT']);
  expect(await allGone()).toBe(true);
  expect(await said).toBe('closing after SIGINT\n');
  expect(readdirSync(join(root, '.rejoin', 'run'))).toContain('run.ended');
}, 60_000);

test('a cloud that is killed leaves no process, and its directory to the next one', async () => {
  expect(started.filter(lives).length).toBeGreaterThanOrEqual(3);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await allGone()).toBe(true);
  const said: string[] = [];
  const run = await RunDirectory.claim(join(root, '.rejoin', 'run'), (line) => said.push(line));
  expect(said).toEqual([expect.stringContaining('cleaning up')]);
  await run.release({ keep: false });
}, 60_000);
