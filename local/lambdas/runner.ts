import { openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { CompiledBundle } from './compiled-bundle';
import { peakMemoryBytes } from '../processes/peak-memory';
import { hookEffects } from './effect-hook';
import type { FunctionErrorBody, KillMoment, RunnerOrder, RunnerReport } from './runner-protocol';

/**
 * The program of a process that runs one function: it loads the bundle once and then calls its handler, one event at a
 * time, as the Lambda runtime does. It ends when its parent does.
 */
type Handler = (event: unknown, context: unknown) => Promise<unknown>;
type LoadOrder = Extract<RunnerOrder, { kind: 'load' }>;
type InvokeOrder = Extract<RunnerOrder, { kind: 'invoke' }>;

/** Lambda's bound on an answer. */
const answerLimitBytes = 6_291_556;
const memoryCheckMs = 100;

let handler: Handler | null = null;
let loaded: LoadOrder | null = null;
let requestId = '-';
let keepCode = (): void => undefined;

process.on('disconnect', () => {
  process.exit(0);
});
// Ctrl-C reaches every process of the terminal; this one is ended by its parent.
process.on('SIGINT', () => undefined);
process.on('message', (order: RunnerOrder) => {
  if (order.kind === 'load') {
    load(order);
  } else {
    void invoke(order);
  }
});
process.on('uncaughtException', (thrown) => {
  end(errorBody(thrown));
});
process.on('unhandledRejection', (reason) => {
  const { errorType, errorMessage, trace } = errorBody(reason);
  end({
    errorType: 'Runtime.UnhandledPromiseRejection',
    errorMessage: `${errorType}: ${errorMessage}`,
    trace: trace ?? [],
  });
});
// What most functions load of Node.js itself is loaded while the process waits for its function.
['node:crypto', 'node:http', 'node:tls'].forEach(createRequire(__filename));
report({ kind: 'ready' });

function load(order: LoadOrder): void {
  loaded = order;
  logTo(order.logFile);
  process.chdir(order.workingDirectory);
  for (const name of Object.keys(process.env)) {
    Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, order.environment);
  watchMemory(order.memoryLimitMiB);
  try {
    const compiled = new CompiledBundle(order.bundle);
    const bundle = compiled.load();
    if (typeof bundle['handler'] !== 'function') {
      throw Object.assign(new Error('index.handler is undefined or not exported'), { name: 'Runtime.HandlerNotFound' });
    }
    handler = bundle['handler'] as Handler;
    keepCode = () => {
      compiled.keep();
    };
    report({ kind: 'loaded' });
  } catch (thrown) {
    report({ kind: 'load failed', error: errorBody(thrown) });
  }
}

async function invoke(order: InvokeOrder): Promise<void> {
  requestId = order.requestId;
  arm(order.kill);
  try {
    const result = await handler?.(JSON.parse(order.event), contextOf(order));
    const answer = JSON.stringify(result ?? null);
    if (order.kill?.at === 'return') {
      die();
    }
    const bytes = Buffer.byteLength(answer);
    if (bytes > answerLimitBytes) {
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${answerLimitBytes} bytes).`;
      report({
        kind: 'threw',
        error: { errorType: 'Function.ResponseSizeTooLarge', errorMessage },
        peakBytes: peakMemoryBytes(),
        last: false,
      });
      return;
    }
    report({ kind: 'returned', answer, peakBytes: peakMemoryBytes() });
  } catch (thrown) {
    if (order.kill?.at === 'return') {
      die();
    }
    report({ kind: 'threw', error: errorBody(thrown), peakBytes: peakMemoryBytes(), last: false });
  } finally {
    hookEffects(null);
  }
  // Nobody waits any more.
  keepCode();
}

function contextOf(order: InvokeOrder): object {
  return {
    awsRequestId: order.requestId,
    functionName: loaded?.functionName,
    functionVersion: '$LATEST',
    memoryLimitInMB: String(loaded?.memoryLimitMiB),
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, order.deadlineMs - Date.now()),
  };
}

function arm(kill: KillMoment | null): void {
  if (kill?.at !== 'effect') {
    return;
  }
  // Effects may overlap: those begun and those done are counted apart.
  const seen = { before: 0, after: 0 };
  hookEffects((moment) => {
    seen[moment]++;
    if (moment === kill.moment && seen[moment] === kill.number) {
      die();
    }
  });
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable: the process has been killed');
}

function end(error: FunctionErrorBody): void {
  process.send?.({ kind: 'threw', error, peakBytes: peakMemoryBytes(), last: true } satisfies RunnerReport, () =>
    process.exit(1),
  );
}

function report(message: RunnerReport): void {
  process.send?.(message);
}

/** As Lambda's Node.js runtime writes whatever was thrown. */
function errorBody(thrown: unknown): FunctionErrorBody {
  if (thrown instanceof Error) {
    return { errorType: thrown.name, errorMessage: thrown.message, trace: (thrown.stack ?? '').split('\n') };
  }
  return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };
}

function watchMemory(limitMiB: number): void {
  setInterval(() => {
    if (process.memoryUsage.rss() > limitMiB * 1024 * 1024) {
      die();
    }
  }, memoryCheckMs).unref();
}

/** Writes at once, so that what was said before a kill is there; each line begins with its call. */
function logTo(file: string): void {
  const descriptor = openSync(file, 'a', 0o600);
  const write = (chunk: string | Uint8Array): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const lines = text.replace(/\n$/, '').split('\n');
    writeSync(descriptor, lines.map((line) => `${requestId.slice(0, 8)} ${line}\n`).join(''));
    return true;
  };
  process.stdout.write = write;
  process.stderr.write = write;
}
