import { type ErrorName, isRejoinError, messageOf, RejoinError } from '../../core/errors';

/** What the SDK adds to errors, as far as it is used here. */
interface ApiFacts {
  /** The HTTP status; null when no answer came. */
  readonly status: number | null;
  /** How often the SDK tried. */
  readonly attempts: number;
}

/** Which of an API's errors mean something of ours: `{ NoSuchKey: 'NotFound' }`. */
export type Meanings = Readonly<Record<string, ErrorName>>;

/** The names under which AWS services say 'too many calls', and those of calls that met another one. */
const throttles = new Set([
  'BandwidthLimitExceeded',
  'ConcurrentModification',
  'EC2ThrottledException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'TransactionConflictException',
  'TransactionInProgressException',
]);

/** What the SDK and Node.js call a call without an answer. */
const silences = new Set([
  'TimeoutError',
  'NetworkingError',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
]);

/**
 * Waits for an API's answer and puts its errors into our words.
 *
 * @param asked what was asked, for the message: `stop machine 'i-1'`; never secrets
 * @throws what `meanings` says; ApiThrottled when the same call may succeed later; ApiRefused otherwise
 */
export async function ask<T>(asked: string, answer: Promise<T>, meanings: Meanings = {}): Promise<T> {
  try {
    return await answer;
  } catch (thrown) {
    throw apiError(asked, thrown, meanings);
  }
}

/** As `ask`, with null for an error that means NotFound. */
export async function askIfThere<T>(asked: string, answer: Promise<T>, meanings: Meanings): Promise<T | null> {
  try {
    return await ask(asked, answer, meanings);
  } catch (thrown) {
    if (isRejoinError(thrown, 'NotFound')) {
      return null;
    }
    throw thrown;
  }
}

/** An API's error in our words, with what was asked and what the API said. */
export function apiError(asked: string, thrown: unknown, meanings: Meanings = {}): RejoinError {
  if (isRejoinError(thrown)) {
    return thrown;
  }
  const code = codeOf(thrown);
  const meaning = meanings[code] ?? (mayPass(thrown, code) ? 'ApiThrottled' : 'ApiRefused');
  return new RejoinError(meaning, `can't ${asked}: ${code}: ${messageOf(thrown)}`, { cause: thrown });
}

/** Whether an error by this name says that the same call may succeed later. */
export function isThrottle(code: string): boolean {
  return throttles.has(code);
}

/** The name of an API's error; for an error of the network its code. */
export function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) {
    return 'Error';
  }
  const { code } = thrown as NodeJS.ErrnoException;
  return typeof code === 'string' && silences.has(code) ? code : thrown.name;
}

/** How often the SDK tried a call that failed in the end. */
export function attemptsOf(thrown: unknown): number {
  return factsOf(thrown).attempts;
}

function mayPass(thrown: unknown, code: string): boolean {
  const { status } = factsOf(thrown);
  return isThrottle(code) || silences.has(code) || status === 429 || (status !== null && status >= 500);
}

function factsOf(thrown: unknown): ApiFacts {
  const { $metadata: metadata } = (thrown ?? {}) as {
    readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
  };
  return { status: metadata?.httpStatusCode ?? null, attempts: metadata?.attempts ?? 1 };
}
