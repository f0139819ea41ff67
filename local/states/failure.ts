/** Why a state did not succeed, as Retry and Catch see it. */
export class StateFailure extends Error {
  /** Null where a Fail state gives no Error. */
  readonly error: string | null;
  readonly causeText: string | null;
  /** Ends the execution whatever its Catch says: a fault of the machine itself, or a limit of the service. */
  readonly terminal: boolean;
  /** Other names that a Retry or Catch may know this failure by. */
  readonly aliases: readonly string[];

  constructor(
    error: string | null,
    causeText: string | null,
    options: { readonly terminal?: boolean; readonly aliases?: readonly string[] } = {},
  ) {
    super(`${error ?? 'failed'}: ${causeText ?? 'no cause given'}`);
    this.name = 'StateFailure';
    this.error = error;
    this.causeText = causeText;
    this.terminal = options.terminal ?? false;
    this.aliases = options.aliases ?? [];
  }
}

/** An expression that could not be evaluated. `location` is a path such as `Output/result`, or null where AWS gives none. */
export class EvaluationFailure extends Error {
  readonly reason: string;
  readonly location: string | null;

  constructor(reason: string, location: string | null) {
    super(reason);
    this.name = 'EvaluationFailure';
    this.reason = reason;
    this.location = location;
  }
}

/** Unwinds work whose execution, branch or iteration has been given up. Nothing is recorded any more. */
export class Interrupted extends Error {
  constructor() {
    super('the work was given up');
    this.name = 'Interrupted';
  }
}

/** One for all: thousands are given up at once, and where each was made tells nobody anything. */
export const interrupted = new Interrupted();

/** A fault of the machine's definition or input that no Catch may hide. */
export const runtimeFailure = (cause: string): StateFailure =>
  new StateFailure('States.Runtime', cause, { terminal: true });
