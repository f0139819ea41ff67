import { fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nameClosedPlace, RunDirectory } from '../../../local/control/run-directory';
import { bootId } from '../../../local/machines/journal';
import { readProcess } from '../../../local/processes/process-table';

let root: string;
let path: string;
const said: string[] = [];
const say = (line: string): void => {
  said.push(line);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rejoin-run-'));
  path = join(root, '.rejoin', 'run-1');
  said.length = 0;
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

test('is made, and removed at the end', async () => {
  const run = await RunDirectory.claim(path, say);
  writeFileSync(join(run.path, 'a-file'), 'x');
  await run.release({ keep: false });
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(join(root, '.rejoin'))).toEqual([]);
  expect(said).toEqual([]);
});

test.each(['EACCES', 'EPERM', 'EROFS'])('where the system lets nobody write (%s), what to do is said', (code) => {
  const thrown = Object.assign(new Error(`${code}: not allowed, mkdir '${path}'`), { code });
  expect(nameClosedPlace(thrown, path)).toMatchObject({
    name: 'InvalidInput',
    message: `${path} can't be used: ${code}: not allowed, mkdir '${path}'; start it in a directory that you may write to, or remove what another user has left there`,
  });
  const other = Object.assign(new Error('x'), { code: 'EIO' });
  expect(nameClosedPlace(other, path)).toBe(other);
});

test('that is kept is taken by the next run without a word', async () => {
  const first = await RunDirectory.claim(path, say);
  writeFileSync(join(path, 'evidence.html'), 'x');
  await first.release({ keep: true });
  expect(readdirSync(path).sort()).toEqual(['evidence.html', 'run.ended']);
  const second = await RunDirectory.claim(path, say);
  expect(readdirSync(path)).toHaveLength(1);
  expect(said).toEqual([]);
  await second.release({ keep: false });
});

test('is refused while a run uses it', async () => {
  const run = await RunDirectory.claim(path, say);
  await expect(RunDirectory.claim(path, say)).rejects.toMatchObject({
    name: 'ApiRefused',
    message: expect.stringContaining(`process ${process.pid}`) as string,
  });
  await run.release({ keep: false });
});

/** A directory as a process leaves it that was killed. */
async function leftover(): Promise<void> {
  const run = await RunDirectory.claim(path, say);
  const [marker = ''] = readdirSync(path);
  rmSync(join(path, marker));
  writeFileSync(join(path, marker.replace(/[0-9a-f]{16}$/, '0123456789abcdef')), '');
  mkdirSync(join(path, 'registry'));
  writeFileSync(join(path, 'registry', 'writes.jsonl'), '{}');
  expect(run.path).toBe(path);
}

test('that a killed run has left is cleaned, which is said in one line', async () => {
  await leftover();
  const run = await RunDirectory.claim(path, say);
  expect(said).toEqual([expect.stringContaining(path)]);
  expect(readdirSync(path)).toHaveLength(1);
  await run.release({ keep: false });
});

test('that a killed run has left is taken by one of several', async () => {
  await leftover();
  const claims = await Promise.allSettled([1, 2, 3, 4].map(async () => RunDirectory.claim(path, say)));
  expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const claim of claims) {
    expect(claim.status === 'fulfilled' || (claim.reason as Error).name === 'ApiRefused').toBe(true);
  }
});

test('the processes of machines that a killed run has left are ended', async () => {
  await leftover();
  mkdirSync(join(path, 'machines'));
  const program = join(root, 'waits.js');
  writeFileSync(program, 'setInterval(() => {}, 1000); process.send("up");');
  const child = fork(program);
  await new Promise((resolve) => child.once('message', resolve));
  const startedAt = readProcess(child.pid ?? 0)?.startedAt ?? '';
  writeFileSync(
    join(path, 'machines', 'machines.jsonl'),
    `${JSON.stringify({ kind: 'process', pid: child.pid, startedAt, boot: bootId() })}\n`,
  );
  const ended = new Promise((resolve) =>
    child.once('exit', (_code, signal) => {
      resolve(signal);
    }),
  );
  const run = await RunDirectory.claim(path, say);
  expect(await ended).toBe('SIGKILL');
  await run.release({ keep: false });
});

test("that holds somebody's own files is refused and left alone", async () => {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'thesis.txt'), 'years of work');
  await expect(RunDirectory.claim(path, say)).rejects.toMatchObject({ name: 'InvalidInput' });
  expect(readdirSync(path)).toEqual(['thesis.txt']);
  await expect(RunDirectory.claim(join(path, 'thesis.txt'), say)).rejects.toMatchObject({ name: 'InvalidInput' });
});
