import { fork, type ChildProcess } from 'node:child_process';
import type { FunctionErrorBody, KillMoment, RunnerOrder, RunnerReport } from './runner-protocol';

export interface WorkerSettings {
  /** The bundled program. */
  readonly program: string;
  readonly workingDirectory: string;
  readonly memoryMiB: number;
  /** Gets what the process says before it runs a function, and its last words. */
  readonly log: number;
}

export type LoadOrder = Omit<Extract<RunnerOrder, { kind: 'load' }>, 'kind'>;

export interface Call {
  readonly requestId: string;
  /** JSON. */
  readonly event: string;
  readonly timeoutMs: number;
  readonly kill: KillMoment | null;
}

export interface CallResult {
  /** JSON, or why there is none. */
  readonly outcome: { readonly answer: string } | { readonly error: FunctionErrorBody };
  /** Null when the process has ended without saying. */
  readonly peakBytes: number | null;
}

/** Node.js on Lambda leaves a tenth of the memory to everything but the heap. */
const heapShare = 0.9;
/** Lambda gives the start 10 s; this computer may be busier. */
const loadLimitMs = 30_000;

/** One process that runs one function, one call at a time. */
export class Worker {
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private readonly listeners = new Set<(heard: RunnerReport | 'exit') => void>();
  private exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | null = null;
  private dying = false;

  /** The process has its own environment only: nothing of ours. */
  constructor(settings: WorkerSettings) {
    this.child = fork(settings.program, [], {
      cwd: settings.workingDirectory,
      env: { TZ: 'UTC' },
      execArgv: [`--max-old-space-size=${Math.floor(settings.memoryMiB * heapShare)}`],
      stdio: ['ignore', settings.log, settings.log, 'ipc'],
    });
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.exit ??= { code, signal };
        this.tell('exit');
        resolve();
      };
      this.child.once('exit', end);
      this.child.once('error', () => {
        // It could not even be started.
        if (this.child.pid === undefined) {
          end(null, null);
        }
      });
    });
    this.child.on('message', (message) => {
      const report = message as RunnerReport;
      this.dying ||= report.kind === 'threw' && report.last;
      this.tell(report);
    });
    // Idle processes don't keep the parent alive; calls under way do, by their timers.
    this.child.unref();
    this.child.channel?.unref();
  }

  /** Whether it can take another call. */
  get usable(): boolean {
    return this.exit === null && !this.dying;
  }

  /** Null when the handler can be called from now on; otherwise why it can't. */
  async load(order: LoadOrder): Promise<FunctionErrorBody | null> {
    const reported = this.next('loaded', 'load failed');
    this.order({ kind: 'load', ...order });
    const limit = this.killAfter(loadLimitMs);
    const report = await reported;
    limit.cancel();
    if (report === 'exit') {
      return this.exitError('-');
    }
    return report.kind === 'load failed' ? report.error : null;
  }

  /** Calls the handler. The process has ended afterwards when the call ran out of time or ended it. */
  async call(call: Call): Promise<CallResult> {
    const { requestId, event, timeoutMs, kill } = call;
    const reported = this.next('returned', 'threw');
    if (kill?.at === 'start') {
      this.kill();
    } else {
      this.order({ kind: 'invoke', requestId, event, deadlineMs: Date.now() + timeoutMs, kill });
    }
    const limit = this.killAfter(timeoutMs);
    const accident = kill?.at === 'time' ? this.killAfter(kill.afterMs) : null;
    const report = await reported;
    limit.cancel();
    accident?.cancel();
    if (report === 'exit') {
      return { outcome: { error: limit.passed ? timeoutError(call) : this.exitError(requestId) }, peakBytes: null };
    }
    const outcome = report.kind === 'returned' ? { answer: report.answer } : { error: report.error };
    return { outcome, peakBytes: report.peakBytes };
  }

  kill(): void {
    this.dying = true;
    this.child.kill('SIGKILL');
  }

  private killAfter(durationMs: number): { readonly passed: boolean; cancel(): void } {
    const limit = {
      passed: false,
      cancel: () => {
        clearTimeout(timer);
      },
    };
    const timer = setTimeout(() => {
      limit.passed = true;
      this.kill();
    }, durationMs);
    return limit;
  }

  private order(order: RunnerOrder): void {
    if (this.child.connected) {
      // The process may end at this very moment: its exit tells.
      this.child.send(order, () => undefined);
    }
  }

  /** The next report of one of these kinds, or the process' end. */
  private async next<K extends RunnerReport['kind']>(
    ...kinds: readonly K[]
  ): Promise<Extract<RunnerReport, { kind: K }> | 'exit'> {
    if (this.exit !== null) {
      return 'exit';
    }
    return new Promise((resolve) => {
      const listener = (heard: RunnerReport | 'exit'): void => {
        if (heard === 'exit' || (kinds as readonly string[]).includes(heard.kind)) {
          this.listeners.delete(listener);
          resolve(heard as Extract<RunnerReport, { kind: K }> | 'exit');
        }
      };
      this.listeners.add(listener);
    });
  }

  private tell(heard: RunnerReport | 'exit'): void {
    for (const listener of [...this.listeners]) {
      listener(heard);
    }
  }

  private exitError(requestId: string): FunctionErrorBody {
    const { code, signal } = this.exit ?? { code: null, signal: null };
    const words =
      signal !== null
        ? `with error: signal: ${signalWords[signal] ?? signal}`
        : code === 0
          ? 'without providing a reason'
          : `with error: exit status ${code ?? 'unknown'}`;
    return { errorType: 'Runtime.ExitError', errorMessage: `RequestId: ${requestId} Error: Runtime exited ${words}` };
  }
}

/** As Lambda's supervisor names them. */
const signalWords: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGKILL: 'killed',
  SIGABRT: 'aborted',
  SIGTERM: 'terminated',
  SIGSEGV: 'segmentation fault',
};

function timeoutError({ requestId, timeoutMs }: Call): FunctionErrorBody {
  return {
    errorType: 'Sandbox.Timedout',
    errorMessage: `RequestId: ${requestId} Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`,
  };
}
