import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json } from '../../../core/json';
import { LocalFunctions, type CallFigures, type FunctionDefinition } from '../../../local/lambdas/local-functions';

interface Spoken {
  readonly said: string | null;
  readonly calls: number;
  readonly pid: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly requestId: string;
  readonly functionName: string;
  readonly remainingMs: number;
}

const fixture = (name: string, file: string, more: Partial<FunctionDefinition> = {}): FunctionDefinition => ({
  name,
  entryFile: `test/local/lambdas/fixtures/${file}.ts`,
  environment: { REJOIN_TABLE: 'rejoin' },
  timeoutMs: 20_000,
  memoryMiB: 256,
  ...more,
});

const mebibyte = 1_048_576;

let folder: string;
let functions: LocalFunctions;
const figures: CallFigures[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rejoin-functions-'));
  functions = await LocalFunctions.start({
    functions: [
      fixture('speak', 'speak'),
      fixture('speak-briefly', 'speak', { timeoutMs: 1_500 }),
      fixture('speak-small', 'speak', { memoryMiB: 128 }),
      fixture('speak-idly', 'speak'),
      fixture('speak-at-length', 'speak', { memoryMiB: 512 }),
      fixture('broken', 'broken'),
      fixture('no-handler', 'no-handler'),
    ],
    folder,
    environment: { REJOIN_DIRECTORY: folder },
    limits: { perFunction: 2, total: 3, spares: 1, idleMs: 60_000 },
    onCall: (call) => figures.push(call),
  });
});
afterAll(async () => {
  await functions.close();
  rmSync(folder, { recursive: true });
});

const speak = async (event: Json, name = 'speak'): Promise<Spoken> =>
  (await functions.invoke(name, event)) as unknown as Spoken;

/** The error's name, and its cause as JSON. */
async function failureOf(work: Promise<unknown>): Promise<{ name: string; cause: Record<string, unknown> }> {
  const thrown = (await work.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  )) as { name: string; cause: string };
  return { name: thrown.name, cause: JSON.parse(thrown.cause) as Record<string, unknown> };
}

const logOf = (name: string): string => readFileSync(join(folder, 'logs', `${name}.log`), 'utf8');

describe('a call', () => {
  test('finds its event, its context and its own environment, nothing of ours', async () => {
    process.env['REJOIN_SECRET_OF_THE_PARENT'] = 'x';
    const spoken = await speak({ say: 'grüße' });
    expect(spoken).toMatchObject({ said: 'grüße', functionName: 'speak' });
    expect(spoken.environment).toEqual({
      REJOIN_TABLE: 'rejoin',
      REJOIN_DIRECTORY: folder,
      AWS_LAMBDA_FUNCTION_NAME: 'speak',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      LAMBDA_TASK_ROOT: join(folder, 'functions', 'speak'),
      TZ: 'UTC',
    });
    expect(spoken.workingDirectory).toBe(join(folder, 'functions', 'speak'));
    expect(spoken.remainingMs).toBeGreaterThan(15_000);
    expect(spoken.remainingMs).toBeLessThanOrEqual(20_000);
    expect(spoken.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('reuses a warm process', async () => {
    const first = await speak({});
    const second = await speak({});
    expect(second.pid).toBe(first.pid);
    expect(second.calls).toBe(first.calls + 1);
    expect(second.requestId).not.toBe(first.requestId);
    expect(figures.at(-1)).toMatchObject({ functionName: 'speak', ok: true, coldStartMs: null });
  });

  test('tells how long it took and how much memory it needed', async () => {
    await speak({ waitMs: 120, fillMiB: 30 }, 'speak-idly');
    const little = figures.at(-1);
    expect(little).toMatchObject({ functionName: 'speak-idly', ok: true });
    expect(little?.durationMs).toBeGreaterThanOrEqual(119);
    expect(little?.coldStartMs).toBeGreaterThan(0);
    // How much an idle process needs depends on the machine; what a call fills comes on top of it.
    await speak({ fillMiB: 130 }, 'speak-at-length');
    const much = figures.at(-1);
    expect(much).toMatchObject({ functionName: 'speak-at-length', ok: true });
    const moreBytes = (much?.peakBytes ?? 0) - (little?.peakBytes ?? 0);
    expect(moreBytes).toBeGreaterThan(80 * mebibyte);
    expect(moreBytes).toBeLessThan(120 * mebibyte);
  });

  test('is logged between markers', async () => {
    const { requestId } = await speak({ say: 'a line\nand another' });
    const log = logOf('speak');
    const part = log.slice(log.indexOf(`START RequestId: ${requestId}`), log.indexOf(`REPORT RequestId: ${requestId}`));
    expect(part.split('\n')).toEqual([
      `START RequestId: ${requestId} Version: $LATEST`,
      `${requestId.slice(0, 8)} said a line`,
      `${requestId.slice(0, 8)} and another`,
      `END RequestId: ${requestId}`,
      '',
    ]);
    expect(log).toMatch(/REPORT RequestId: .*\tDuration: [\d.]+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB/);
  });
});

describe('a failure', () => {
  test('keeps the name and message of a thrown error', async () => {
    const { name, cause } = await failureOf(speak({ throws: { name: 'LeaseLost', message: 'another took it' } }));
    expect(name).toBe('LeaseLost');
    expect(cause).toMatchObject({ errorType: 'LeaseLost', errorMessage: 'another took it' });
    expect((cause['trace'] as string[])[0]).toContain('another took it');
    // The process lives on.
    expect((await speak({})).said).toBeNull();
  });

  test('of something thrown that is no error says its type', async () => {
    const { name, cause } = await failureOf(speak({ throwsText: 'just words' }));
    expect(name).toBe('string');
    expect(cause).toEqual({ errorType: 'string', errorMessage: 'just words', trace: [] });
  });

  test('of a call that runs out of time is Sandbox.Timedout, even in an endless loop', async () => {
    for (const event of [{ waitMs: 30_000 }, { spins: true }]) {
      const startedMs = performance.now();
      const { name, cause } = await failureOf(speak(event, 'speak-briefly'));
      expect(name).toBe('Sandbox.Timedout');
      expect(cause).toEqual({
        errorType: 'Sandbox.Timedout',
        errorMessage: expect.stringMatching(
          /^RequestId: [0-9a-f-]{36} Error: Task timed out after 1\.50 seconds$/,
        ) as string,
      });
      expect(performance.now() - startedMs).toBeLessThan(15_000);
    }
    expect((await speak({}, 'speak-briefly')).calls).toBe(1);
  });

  test.each([
    [3, 'with error: exit status 3'],
    [0, 'without providing a reason'],
  ])('of a process that exits with %i is Runtime.ExitError', async (exits, words) => {
    const { name, cause } = await failureOf(speak({ exits }));
    expect(name).toBe('Runtime.ExitError');
    expect(cause['errorMessage']).toMatch(new RegExp(`^RequestId: [0-9a-f-]{36} Error: Runtime exited ${words}$`));
  });

  test('of a promise that nobody caught ends the process', async () => {
    const { pid } = await speak({});
    const { name, cause } = await failureOf(speak({ rejectsLater: true }));
    expect(name).toBe('Runtime.UnhandledPromiseRejection');
    expect(cause['errorMessage']).toBe('TypeError: nobody caught it');
    expect((await speak({})).pid).not.toBe(pid);
  });

  test('of a function that needs more memory than it has is a killed runtime', async () => {
    const { name, cause } = await failureOf(speak({ fillMiB: 400 }, 'speak-small'));
    expect(name).toBe('Runtime.ExitError');
    expect(cause['errorMessage']).toMatch(/Runtime exited with error: signal: killed$/);
  });

  test('of an answer beyond 6 MB', async () => {
    const { name } = await failureOf(speak({ bytes: 7_000_000 }));
    expect(name).toBe('Function.ResponseSizeTooLarge');
  });

  test('of code that does not load', async () => {
    const broken = await failureOf(functions.invoke('broken', {}));
    expect(broken).toMatchObject({ name: 'InvalidSettings', cause: { errorMessage: 'REJOIN_TABLE is not set' } });
    expect((await failureOf(functions.invoke('no-handler', {}))).name).toBe('Runtime.HandlerNotFound');
  });

  test('of a function that is not there names those that are', async () => {
    await expect(functions.invoke('speek', {})).rejects.toMatchObject({
      name: 'Lambda.ResourceNotFoundException',
      cause: expect.stringContaining('speak-briefly') as string,
    });
  });
});

describe('calls at once', () => {
  test('each have a process of their own, up to the limit; others wait for their turn', async () => {
    const before = figures.length;
    const spoken = await Promise.all([1, 2, 3, 4].map(async (number) => speak({ say: String(number), waitMs: 300 })));
    expect(spoken.map(({ said }) => said)).toEqual(['1', '2', '3', '4']);
    expect(new Set(spoken.map(({ pid }) => pid)).size).toBe(2);
    const queued = figures.slice(before).filter(({ queuedMs }) => queuedMs > 200);
    expect(queued).toHaveLength(2);
  });

  test('a call that nobody waits for any more leaves the queue', async () => {
    const abort = new AbortController();
    const before = figures.length;
    const calls = [speak({ waitMs: 300 }), speak({ waitMs: 300 })];
    const given = functions.invoke('speak', { say: 'never' }, abort.signal);
    abort.abort();
    await expect(given).rejects.toMatchObject({ name: 'States.TaskFailed' });
    await Promise.all(calls);
    expect(figures).toHaveLength(before + 2);
  });
});

describe('a process that is killed on purpose', () => {
  const killed = async (event: Json): Promise<void> => {
    const { name, cause } = await failureOf(speak(event));
    expect(name).toBe('Runtime.ExitError');
    expect(cause['errorMessage']).toMatch(/signal: killed$/);
    expect(functions.killOrders.waiting).toHaveLength(0);
  };

  test('before the handler runs', async () => {
    functions.killOrders.killNext({ functionName: 'speak' }, { at: 'start' });
    await killed({ say: 'unheard before' });
    expect(logOf('speak')).not.toContain('unheard before');
  });

  test('some time into it', async () => {
    functions.killOrders.killNext({ functionName: 'speak' }, { at: 'time', afterMs: 200 });
    await killed({ say: 'heard in the middle', waitMs: 15_000 });
    expect(logOf('speak')).toContain('heard in the middle');
  });

  test('after the handler returned and before anybody heard of it', async () => {
    functions.killOrders.killNext({}, { at: 'return' });
    await killed({ say: 'heard to the end' });
    expect(logOf('speak')).toContain('heard to the end');
  });

  test('only for the state that was meant', async () => {
    functions.killOrders.killNext({ state: 'Fence the failed node' }, { at: 'start' });
    await speak({ run: { machine: 'm', execution: 'e', state: 'Take the lease' } });
    expect(functions.killOrders.waiting).toHaveLength(1);
    await killed({ run: { machine: 'm', execution: 'e', state: 'Fence the failed node' } });
    await speak({ run: { machine: 'm', execution: 'e', state: 'Fence the failed node' } });
  });
});

test('processes without calls end after a while', async () => {
  const own = mkdtempSync(join(tmpdir(), 'rejoin-functions-'));
  const idle = await LocalFunctions.start({
    functions: [fixture('speak', 'speak')],
    folder: own,
    environment: {},
    limits: { idleMs: 100, spares: 0 },
  });
  const { pid } = (await idle.invoke('speak', {})) as unknown as Spoken;
  expect(isAlive(pid)).toBe(true);
  while (isAlive(pid)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const again = (await idle.invoke('speak', {})) as unknown as Spoken;
  expect(again).toMatchObject({ calls: 1 });
  await idle.close();
  expect(isAlive(again.pid)).toBe(false);
  rmSync(own, { recursive: true });
});

test('a function that does not build is named', async () => {
  const own = mkdtempSync(join(tmpdir(), 'rejoin-functions-'));
  const start = LocalFunctions.start({ functions: [fixture('absent', 'absent')], folder: own, environment: {} });
  await expect(start).rejects.toMatchObject({
    name: 'InvalidInput',
    message: expect.stringContaining('fixtures/absent.ts') as string,
  });
  rmSync(own, { recursive: true });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
