import type { Expression } from './expression';
import type { Template } from './template';
import type { TaskResource } from './task-resource';

/** A number given as such, or by an expression. */
export type NumberField =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'expression'; readonly expression: Expression };

/** A text given as such, or by an expression. */
export type TextField =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'expression'; readonly expression: Expression };

/** Where a state goes: another state, or null for the end. */
export type Next = string | null;

/** What a state, a rule or a catcher does to the data when it is taken. Null: nothing is declared. */
export interface Effects {
  readonly assign: readonly (readonly [string, Template])[];
  readonly output: Template | null;
}

export interface Retrier {
  readonly errorEquals: readonly string[];
  readonly intervalSeconds: number;
  readonly backoffRate: number;
  readonly maxAttempts: number;
  readonly maxDelaySeconds: number | null;
  readonly jitter: 'FULL' | 'NONE';
}

export interface Catcher extends Effects {
  readonly errorEquals: readonly string[];
  readonly next: string;
}

interface Recovery {
  readonly retry: readonly Retrier[];
  readonly catch: readonly Catcher[];
}

interface Named {
  readonly name: string;
}

export interface TaskState extends Named, Effects, Recovery {
  readonly type: 'Task';
  readonly resource: TaskResource;
  readonly arguments: Template | null;
  readonly timeoutSeconds: NumberField | null;
  readonly heartbeatSeconds: NumberField | null;
  readonly next: Next;
}

export interface PassState extends Named, Effects {
  readonly type: 'Pass';
  readonly next: Next;
}

interface ChoiceRule extends Effects {
  readonly condition: boolean | Expression;
  readonly next: string;
}

export interface ChoiceState extends Named, Effects {
  readonly type: 'Choice';
  readonly choices: readonly ChoiceRule[];
  readonly default: string | null;
}

export interface WaitState extends Named, Effects {
  readonly type: 'Wait';
  readonly until:
    | { readonly kind: 'seconds'; readonly seconds: NumberField }
    | { readonly kind: 'timestamp'; readonly timestamp: TextField };
  readonly next: Next;
}

interface SucceedState extends Named, Effects {
  readonly type: 'Succeed';
}

export interface FailState extends Named {
  readonly type: 'Fail';
  readonly error: TextField | null;
  readonly cause: TextField | null;
}

export interface ParallelState extends Named, Effects, Recovery {
  readonly type: 'Parallel';
  readonly arguments: Template | null;
  readonly branches: readonly StateGraph[];
  readonly next: Next;
}

export interface ItemReader {
  readonly source: 'getObject' | 'listObjectsV2';
  readonly arguments: Template;
  readonly inputType: 'JSON' | 'JSONL' | 'CSV' | 'MANIFEST' | null;
  readonly csvDelimiter: string;
  /** Null: the first row. */
  readonly csvHeaders: readonly string[] | null;
  readonly maxItems: NumberField | null;
}

export interface ItemBatcher {
  readonly maxItemsPerBatch: NumberField | null;
  readonly maxInputBytesPerBatch: NumberField | null;
  readonly batchInput: Template | null;
}

export interface ResultWriter {
  /** Null: results stay in the state's output. */
  readonly arguments: Template | null;
  readonly transformation: 'NONE' | 'COMPACT' | 'FLATTEN';
  readonly outputType: 'JSON' | 'JSONL';
}

export interface DistributedMode {
  readonly executionType: 'STANDARD' | 'EXPRESS';
  readonly label: string | null;
  readonly itemReader: ItemReader | null;
  readonly itemBatcher: ItemBatcher | null;
  readonly resultWriter: ResultWriter | null;
}

export interface MapState extends Named, Effects, Recovery {
  readonly type: 'Map';
  readonly items: Template | null;
  readonly itemSelector: Template | null;
  readonly maxConcurrency: NumberField | null;
  readonly toleratedFailureCount: NumberField | null;
  readonly toleratedFailurePercentage: NumberField | null;
  readonly processor: StateGraph;
  /** Null: iterations run inside this execution. */
  readonly distributed: DistributedMode | null;
  readonly next: Next;
}

export type State =
  TaskState | PassState | ChoiceState | WaitState | SucceedState | FailState | ParallelState | MapState;

/** States of one scope: a machine's top level, a branch, an item processor. */
export interface StateGraph {
  readonly startAt: string;
  readonly states: ReadonlyMap<string, State>;
}
