import type { Json } from '../../core/json';
import type { Clock, Random } from '../../core/ports/clock';
import type { HistoryEvent } from './history';

/** One call of a service by a Task state. */
export interface TaskCall {
  /** As the state names it, such as `arn:aws:states:::lambda:invoke.waitForTaskToken` or the ARN of a function. */
  readonly resource: string;
  /**
   * The evaluated `Arguments`. For a bare function ARN they are the event itself. For `lambda:invoke` a Payload that is a
   * string has been parsed, because the service sends it as raw JSON.
   */
  readonly arguments: Json;
  /** What sendTaskSuccess takes, for a resource that ends in `.waitForTaskToken`; else null. */
  readonly taskToken: string | null;
  readonly executionArn: string;
  readonly stateName: string;
  /** 1 for the first call; each retry adds 1. */
  readonly attempt: number;
  /** Aborted when the task has run out of time or the execution has stopped; what the call answers then is ignored. */
  readonly signal: AbortSignal;
  /**
   * Says that a `.sync` job has been accepted, with the service's first answer (`{ExecutionArn, StartDate}`): it becomes
   * the TaskSubmitted event. A runner that never calls it gets that event when the job ends.
   */
  readonly submitted: (answer: Json) => void;
}

export interface TaskRunner {
  /**
   * The service's answer: for `lambda:invoke` `{Payload, StatusCode, ExecutedVersion}`, for a bare function ARN what the
   * function returned, for `startExecution.sync` and `.sync:2` what DescribeExecution says of the ended child, in its
   * field names, with `Input` and `Output` as JSON text (parsed here for `.sync:2`).
   *
   * @throws StateError to fail the task with that name; any other error fails it with its own name and message
   */
  run(call: TaskCall): Promise<Json>;
}

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly writtenAtMs: number;
}

/** The objects that item readers read and result writers write. */
export interface ItemSource {
  /** @throws when there is no such object */
  getObject(bucket: string, key: string): Promise<Buffer>;
  /** Objects whose key begins with `prefix`, in the order of their keys. */
  listObjects(bucket: string, prefix: string): Promise<readonly ListedObject[]>;
  putObject(bucket: string, key: string, body: Buffer): Promise<void>;
}

/** All that an execution knows of the world outside it. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly tasks: TaskRunner;
  readonly objects: ItemSource;
  /** Called for each event as it is recorded, also those of the children of a distributed map. Must not throw. */
  onEvent?(execution: Execution, event: HistoryEvent): void;
}

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

export interface ExecutionResult {
  readonly status: Exclude<ExecutionStatus, 'RUNNING'>;
  /** Null unless the execution succeeded. */
  readonly output: Json;
  readonly error: string | null;
  readonly cause: string | null;
  readonly stoppedAtMs: number;
}

export interface Execution {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  readonly input: Json;
  readonly startedAtMs: number;
  readonly history: readonly HistoryEvent[];
  readonly status: ExecutionStatus;
  /** Resolves when the execution has ended, however it ended; rejects only on a fault of the interpreter itself. */
  readonly finished: Promise<ExecutionResult>;
  /** Ends a running execution as ABORTED; does nothing to an ended one. */
  stop(error?: string, cause?: string): void;
  /** @throws StateError 'InvalidToken' or 'TaskTimedOut' for a token that nobody waits for; the same for the next two */
  sendTaskSuccess(token: string, output: Json): void;
  sendTaskFailure(token: string, error?: string, cause?: string): void;
  sendTaskHeartbeat(token: string): void;
}
