/**
 * Every error that a step can end with. A state machine names them in its retries and catches, and bundling renames
 * classes, so each name is a literal.
 */
export const errorNames = [
  'InvalidInput',
  'InvalidSettings',
  'NotFound',
  'ConditionFailed',
  'LeaseLost',
  'LeaseHeld',
  'RegistryThrottled',
  'ApiThrottled',
  'ApiRefused',
  'SqlUnavailable',
  'SqlFailed',
  'CapacityShort',
  'ChunkDamaged',
  'ManifestMismatch',
  'SlotLost',
  'NotConverging',
  'NotProved',
  'FenceNotProved',
  'LossNotAccepted',
  'PreflightRefused',
  'NoDiskSpace',
  'DecisionRefused',
] as const;

export type ErrorName = (typeof errorNames)[number];

/** Errors that pass by themselves: 4 retries from 1 s, doubling, with jitter (spec: node-recovery, 4). */
export const transientErrors = ['RegistryThrottled', 'ApiThrottled', 'SqlUnavailable'] as const satisfies ErrorName[];

/** What Lambda itself reports when a call did not run to its end; a step is idempotent, so it may be called again. */
export const lambdaErrors = [
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
  'Lambda.Unknown',
  'Sandbox.Timedout',
  'Runtime.ExitError',
] as const;

/** An error that an operator can act on: its message says what is wrong, what was given, and how to mend it. */
export class RejoinError extends Error {
  override readonly name: ErrorName;

  constructor(name: ErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

/** Whether `thrown` is one of ours, and of that name. Looks at the name: the class differs between bundles. */
export function isRejoinError(thrown: unknown, name?: ErrorName): thrown is RejoinError {
  if (!(thrown instanceof Error)) {
    return false;
  }
  return name === undefined ? (errorNames as readonly string[]).includes(thrown.name) : thrown.name === name;
}

/** The message of anything that was thrown, an error of another realm included. */
export function messageOf(thrown: unknown): string {
  const message: unknown = typeof thrown === 'object' && thrown !== null && 'message' in thrown ? thrown.message : null;
  return typeof message === 'string' ? message : String(thrown);
}
