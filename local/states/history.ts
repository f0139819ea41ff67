import type { Clock } from '../../core/ports/clock';
import { StateFailure } from './failure';

/** Nothing is truncated here, but readers of AWS's histories look at the field. */
interface DataDetails {
  readonly truncated: boolean;
}

const whole: DataDetails = { truncated: false };

interface Ended {
  readonly error?: string;
  readonly cause?: string;
}

interface TaskResource {
  readonly resourceType: string;
  readonly resource: string;
}

interface Output {
  readonly output: string;
  readonly outputDetails: DataDetails;
}

interface Iteration {
  readonly name: string;
  readonly index: number;
}

/** The detail fields of GetExecutionHistory, one of which goes with each event that has details. */
export interface EventDetails {
  readonly executionStartedEventDetails: {
    readonly input: string;
    readonly inputDetails: DataDetails;
    readonly roleArn: string;
  };
  readonly executionSucceededEventDetails: Output;
  readonly executionFailedEventDetails: Ended;
  readonly executionAbortedEventDetails: Ended;
  readonly executionTimedOutEventDetails: Ended;
  readonly stateEnteredEventDetails: {
    readonly name: string;
    readonly input: string;
    readonly inputDetails: DataDetails;
  };
  readonly stateExitedEventDetails: Output & {
    readonly name: string;
    /** Name of each variable → its value as JSON text. */
    readonly assignedVariables?: Readonly<Record<string, string>>;
    readonly assignedVariablesDetails?: DataDetails;
  };
  readonly evaluationFailedEventDetails: {
    readonly error: string;
    readonly cause: string;
    readonly location?: string;
    readonly state: string;
  };
  readonly taskScheduledEventDetails: TaskResource & {
    readonly region: string;
    readonly parameters: string;
    readonly timeoutInSeconds?: number;
    readonly heartbeatInSeconds?: number;
  };
  readonly taskStartedEventDetails: TaskResource;
  readonly taskSubmittedEventDetails: TaskResource & Output;
  readonly taskSucceededEventDetails: TaskResource & Output;
  readonly taskFailedEventDetails: TaskResource & Ended;
  readonly taskTimedOutEventDetails: TaskResource & Ended;
  readonly lambdaFunctionScheduledEventDetails: {
    readonly resource: string;
    readonly input: string;
    readonly inputDetails: DataDetails;
    readonly timeoutInSeconds?: number;
  };
  readonly lambdaFunctionSucceededEventDetails: Output;
  readonly lambdaFunctionFailedEventDetails: Ended;
  readonly lambdaFunctionTimedOutEventDetails: Ended;
  readonly mapStateStartedEventDetails: { readonly length: number };
  readonly mapIterationStartedEventDetails: Iteration;
  readonly mapIterationSucceededEventDetails: Iteration;
  readonly mapIterationFailedEventDetails: Iteration;
  readonly mapIterationAbortedEventDetails: Iteration;
  readonly mapRunStartedEventDetails: { readonly mapRunArn: string };
  readonly mapRunFailedEventDetails: Ended;
}

export type StateType = 'Task' | 'Pass' | 'Choice' | 'Wait' | 'Parallel' | 'Map' | 'Succeed' | 'Fail';

export type EventType =
  | 'ExecutionStarted'
  | 'ExecutionSucceeded'
  | 'ExecutionFailed'
  | 'ExecutionAborted'
  | 'ExecutionTimedOut'
  | `${StateType}StateEntered`
  | `${Exclude<StateType, 'Fail'>}StateExited`
  | 'EvaluationFailed'
  | 'TaskScheduled'
  | 'TaskStarted'
  | 'TaskSubmitted'
  | 'TaskSucceeded'
  | 'TaskFailed'
  | 'TaskTimedOut'
  | 'TaskStateAborted'
  | 'WaitStateAborted'
  | 'LambdaFunctionScheduled'
  | 'LambdaFunctionStarted'
  | 'LambdaFunctionSucceeded'
  | 'LambdaFunctionFailed'
  | 'LambdaFunctionTimedOut'
  | `ParallelState${'Started' | 'Succeeded' | 'Failed' | 'Aborted'}`
  | `MapState${'Started' | 'Succeeded' | 'Failed' | 'Aborted'}`
  | `MapIteration${'Started' | 'Succeeded' | 'Failed' | 'Aborted'}`
  | `MapRun${'Started' | 'Succeeded' | 'Failed'}`;

/** One event as GetExecutionHistory gives it; `timestamp` is ISO 8601 in UTC, with milliseconds. */
export type HistoryEvent = Partial<EventDetails> & {
  readonly timestamp: string;
  readonly type: EventType;
  readonly id: number;
  /** The event that this one follows in its own branch; 0 for the first. */
  readonly previousEventId: number;
};

export const outputOf = (text: string): Output => ({ output: text, outputDetails: whole });
export const inputOf = (text: string): { readonly input: string; readonly inputDetails: DataDetails } => ({
  input: text,
  inputDetails: whole,
});
export const assignedOf = (
  variables: Readonly<Record<string, string>>,
): Pick<EventDetails['stateExitedEventDetails'], 'assignedVariables' | 'assignedVariablesDetails'> => ({
  assignedVariables: variables,
  assignedVariablesDetails: whole,
});
export const endedOf = (error: string | null, cause: string | null): Ended => ({
  ...(error === null ? {} : { error }),
  ...(cause === null ? {} : { cause }),
});

/** Step Functions' own bound for STANDARD executions, the ExecutionFailed event included. */
export const standardEventLimit = 25_000;

/**
 * EXPRESS executions have no bound on AWS but end after 5 minutes; on a virtual clock a loop that waits for nothing would
 * never get there.
 */
export const expressEventLimit = 250_000;

/** The events of one execution, numbered from 1. */
export class History {
  readonly events: HistoryEvent[] = [];
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #onEvent: (event: HistoryEvent) => void;

  constructor(clock: Clock, limit: number, onEvent: (event: HistoryEvent) => void) {
    this.#clock = clock;
    this.#limit = limit;
    this.#onEvent = onEvent;
  }

  /** @throws StateFailure, which nothing catches, when only the place of the final event is left */
  append(type: EventType, previousEventId: number, details: Partial<EventDetails> = {}): number {
    if (this.events.length >= this.#limit - 1) {
      throw new StateFailure(
        'States.Runtime',
        `The execution reached the maximum number of history events (${this.#limit}).`,
        { terminal: true },
      );
    }
    return this.#push(type, previousEventId, details);
  }

  /** The event that ends the execution. */
  close(type: EventType, previousEventId: number, details: Partial<EventDetails>): void {
    this.#push(type, previousEventId, details);
  }

  #push(type: EventType, previousEventId: number, details: Partial<EventDetails>): number {
    const id = this.events.length + 1;
    const event: HistoryEvent = {
      timestamp: new Date(this.#clock.nowMs()).toISOString(),
      type,
      id,
      previousEventId,
      ...details,
    };
    this.events.push(event);
    this.#onEvent(event);
    return id;
  }
}
