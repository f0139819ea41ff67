import { randomUUID } from 'node:crypto';
import { appendFileSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { RejoinError } from '../../core/errors';
import type { Json } from '../../core/json';
import { StateError } from '../states/state-error';
import { bundleFunctions, bundleRunner } from './bundle-functions';
import { KillOrders } from './kill-orders';
import type { CallResult, Worker } from './worker';
import { WorkerPool } from './worker-pool';

/** A function as it is deployed. */
export interface FunctionDefinition {
  readonly name: string;
  /** Its source file, relative to the project's root. */
  readonly entryFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly memoryMiB: number;
}

/** What one call took. */
export interface CallFigures {
  readonly functionName: string;
  readonly requestId: string;
  readonly ok: boolean;
  readonly durationMs: number;
  /** Time until the handler could be called; null: the process was warm. */
  readonly coldStartMs: number | null;
  /** Time until a process was free. */
  readonly queuedMs: number;
  /** Highest resident memory of the process so far; null when it ended without saying. */
  readonly peakBytes: number | null;
}

export interface FunctionsOptions {
  readonly functions: readonly FunctionDefinition[];
  /** The run's own folder: bundles, logs and working directories go there. */
  readonly folder: string;
  /** Added to the environment of each function: how it reaches this cloud. */
  readonly environment: Readonly<Record<string, string>>;
  /** Calls at once. This computer is smaller than Lambda: others wait for their turn. */
  readonly limits?: Partial<FunctionLimits>;
  onCall?(figures: CallFigures): void;
}

export interface FunctionLimits {
  /** Of one function. @default 4 */
  readonly perFunction: number;
  /** Of all functions. @default 8 */
  readonly total: number;
  /** Processes started ahead, a memory figure. @default 1 */
  readonly spares: number;
  /** How long a process without calls is kept. @default 30,000 */
  readonly idleMs: number;
}

const defaultLimits: FunctionLimits = { perFunction: 4, total: 8, spares: 1, idleMs: 30_000 };

interface Idle {
  readonly functionName: string;
  readonly worker: Worker;
  readonly end: NodeJS.Timeout;
}

/** Runs functions in processes, as Lambda does: own environment, limits on time and memory, warm reuse, errors as Lambda words them. */
export class LocalFunctions {
  /** Kills processes on purpose. */
  readonly killOrders = new KillOrders();
  private readonly limits: FunctionLimits;
  private readonly definitions: ReadonlyMap<string, FunctionDefinition>;
  private readonly busy = new Map<string, number>();
  private idle: Idle[] = [];
  private waiting: { readonly functionName: string; readonly start: () => void }[] = [];
  private closed = false;

  private constructor(
    private readonly options: FunctionsOptions,
    private readonly pool: WorkerPool,
    private readonly log: number,
  ) {
    this.limits = { ...defaultLimits, ...options.limits };
    this.definitions = new Map(options.functions.map((definition) => [definition.name, definition]));
    for (const memoryMiB of new Set(options.functions.map((definition) => definition.memoryMiB))) {
      pool.prepare(memoryMiB);
    }
  }

  /** Bundles all functions and starts spare processes. @throws InvalidInput when one does not build */
  static async start(options: FunctionsOptions): Promise<LocalFunctions> {
    const { folder, functions } = options;
    mkdirSync(join(folder, 'logs'), { recursive: true, mode: 0o700 });
    const entries = new Map(functions.map(({ name, entryFile }) => [name, entryFile]));
    // One after the other: when one fails, nothing is being written any more.
    await bundleFunctions(entries, join(folder, 'functions'));
    const program = await bundleRunner(folder);
    const log = openSync(join(folder, 'logs', 'processes.log'), 'a', 0o600);
    const spares = options.limits?.spares ?? defaultLimits.spares;
    return new LocalFunctions(options, new WorkerPool({ program, workingDirectory: folder, log }, spares), log);
  }

  /**
   * Calls a function and waits for its answer.
   *
   * @throws StateError named and worded as the service does when a function fails
   */
  async invoke(functionName: string, event: Json, signal?: AbortSignal): Promise<Json> {
    const definition = this.definitions.get(functionName);
    if (definition === undefined) {
      const message = `Function not found: ${functionName} (there are: ${[...this.definitions.keys()].join(', ') || 'none'})`;
      throw new StateError('Lambda.ResourceNotFoundException', message);
    }
    const enteredMs = performance.now();
    await this.turn(functionName, signal);
    try {
      return await this.run(definition, event, performance.now() - enteredMs);
    } finally {
      this.busy.set(functionName, (this.busy.get(functionName) ?? 1) - 1);
      this.startWaiting();
    }
  }

  /** Ends every process; calls under way fail. */
  async close(): Promise<void> {
    this.closed = true;
    this.idle.forEach(({ end }) => {
      clearTimeout(end);
    });
    this.startWaiting();
    await this.pool.close();
    closeSync(this.log);
  }

  private async run(definition: FunctionDefinition, event: Json, queuedMs: number): Promise<Json> {
    const requestId = randomUUID();
    const kill = this.killOrders.take(definition.name, event);
    this.note(definition, `START RequestId: ${requestId} Version: $LATEST`);
    const startedMs = performance.now();
    const warm = this.takeIdle(definition.name);
    const worker = warm ?? this.pool.take(definition.memoryMiB);
    const failure = warm === null ? await worker.load(this.loadOrder(definition)) : null;
    const calledMs = performance.now();
    const result: CallResult =
      failure === null
        ? await worker.call({ requestId, event: JSON.stringify(event), timeoutMs: definition.timeoutMs, kill })
        : { outcome: { error: failure }, peakBytes: null };
    this.release(definition, worker, failure === null);
    const figures: CallFigures = {
      functionName: definition.name,
      requestId,
      ok: 'answer' in result.outcome,
      durationMs: performance.now() - calledMs,
      coldStartMs: warm === null ? calledMs - startedMs : null,
      queuedMs,
      peakBytes: result.peakBytes,
    };
    this.noteEnd(definition, figures, result);
    this.options.onCall?.(figures);
    if ('error' in result.outcome) {
      throw new StateError(result.outcome.error.errorType, JSON.stringify(result.outcome.error));
    }
    return JSON.parse(result.outcome.answer) as Json;
  }

  private loadOrder(definition: FunctionDefinition): Parameters<Worker['load']>[0] {
    const folder = join(this.options.folder, 'functions', definition.name);
    return {
      bundle: join(folder, 'index.js'),
      workingDirectory: folder,
      logFile: this.logFileOf(definition),
      functionName: definition.name,
      memoryLimitMiB: definition.memoryMiB,
      environment: {
        ...definition.environment,
        ...this.options.environment,
        AWS_LAMBDA_FUNCTION_NAME: definition.name,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memoryMiB),
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        LAMBDA_TASK_ROOT: folder,
        TZ: 'UTC',
      },
    };
  }

  /** Resolves when the function may have one more call at once. */
  private async turn(functionName: string, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        functionName,
        start: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.waiting = this.waiting.filter((other) => other !== waiter);
        reject(new StateError('States.TaskFailed', 'nobody waits for this call any more'));
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.waiting.push(waiter);
      this.startWaiting();
    });
    if (this.closed) {
      throw new RejoinError('ApiRefused', `function '${functionName}' is not called: the local cloud is closing`);
    }
  }

  private startWaiting(): void {
    for (const waiter of [...this.waiting]) {
      const busy = this.busy.get(waiter.functionName) ?? 0;
      const total = [...this.busy.values()].reduce((sum, count) => sum + count, 0);
      if (this.closed || (busy < this.limits.perFunction && total < this.limits.total)) {
        this.waiting = this.waiting.filter((other) => other !== waiter);
        this.busy.set(waiter.functionName, busy + 1);
        waiter.start();
      }
    }
  }

  private takeIdle(functionName: string): Worker | null {
    const found = this.idle.find((entry) => entry.functionName === functionName && entry.worker.usable);
    if (found === undefined) {
      return null;
    }
    clearTimeout(found.end);
    this.idle = this.idle.filter((entry) => entry !== found);
    return found.worker;
  }

  private release(definition: FunctionDefinition, worker: Worker, usable: boolean): void {
    if (!usable || !worker.usable || this.closed) {
      worker.kill();
      return;
    }
    const end = setTimeout(() => {
      this.idle = this.idle.filter((entry) => entry.worker !== worker);
      worker.kill();
    }, this.limits.idleMs);
    end.unref();
    this.idle.push({ functionName: definition.name, worker, end });
    // Warm processes are kept for functions that may be called again, but this computer's memory is not endless.
    for (const entry of this.idle.splice(0, Math.max(0, this.idle.length - 2 * this.limits.total))) {
      clearTimeout(entry.end);
      entry.worker.kill();
    }
  }

  private noteEnd(definition: FunctionDefinition, figures: CallFigures, result: CallResult): void {
    if ('error' in result.outcome) {
      this.note(definition, `ERROR ${JSON.stringify(result.outcome.error)}`);
    }
    const memory = figures.peakBytes === null ? 'unknown' : `${Math.ceil(figures.peakBytes / 1024 / 1024)} MB`;
    const start = figures.coldStartMs === null ? '' : `\tInit Duration: ${figures.coldStartMs.toFixed(2)} ms`;
    this.note(definition, `END RequestId: ${figures.requestId}`);
    this.note(
      definition,
      `REPORT RequestId: ${figures.requestId}\tDuration: ${figures.durationMs.toFixed(2)} ms\tMemory Size: ${definition.memoryMiB} MB\tMax Memory Used: ${memory}${start}`,
    );
  }

  private note(definition: FunctionDefinition, line: string): void {
    appendFileSync(this.logFileOf(definition), `${line}\n`, { mode: 0o600 });
  }

  private logFileOf(definition: FunctionDefinition): string {
    return join(this.options.folder, 'logs', `${definition.name}.log`);
  }
}
