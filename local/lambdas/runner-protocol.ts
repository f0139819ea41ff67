/** What a process that runs a function hears. */
export type RunnerOrder =
  | {
      readonly kind: 'load';
      /** The bundled code. */
      readonly bundle: string;
      readonly workingDirectory: string;
      /** All that the function finds in its environment. */
      readonly environment: Readonly<Record<string, string>>;
      readonly logFile: string;
      readonly functionName: string;
      readonly memoryLimitMiB: number;
    }
  | {
      readonly kind: 'invoke';
      readonly requestId: string;
      /** JSON. */
      readonly event: string;
      readonly deadlineMs: number;
      readonly kill: KillMoment | null;
    };

/** What it says. */
export type RunnerReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'loaded' }
  | { readonly kind: 'load failed'; readonly error: FunctionErrorBody }
  | { readonly kind: 'returned'; readonly answer: string; readonly peakBytes: number }
  | {
      readonly kind: 'threw';
      readonly error: FunctionErrorBody;
      readonly peakBytes: number;
      /** The process ends after it. */
      readonly last: boolean;
    };

/** A function's error as Lambda writes it; it becomes the `Cause` of the task. */
export interface FunctionErrorBody {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

/**
 * When a call's process is killed: before the handler runs, some time into it, around its n-th effect (1 is the first), or
 * after the handler has returned and before anybody hears of it.
 */
export type KillMoment =
  | { readonly at: 'start' }
  | { readonly at: 'time'; readonly afterMs: number }
  | { readonly at: 'effect'; readonly number: number; readonly moment: 'before' | 'after' }
  | { readonly at: 'return' };
