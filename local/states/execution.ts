import type { Json } from '../../core/json';
import { Cancellation } from './cancellation';
import { StateFailure } from './failure';
import { expressionFunctions } from './functions';
import type { EventType, HistoryEvent } from './history';
import { History, endedOf, expressEventLimit, inputOf, outputOf, standardEventLimit } from './history';
import { Payload } from './payload';
import { runStates } from './run/run-states';
import type { Child, Run } from './run/thread';
import { Thread } from './run/thread';
import { StateError } from './state-error';
import type { StateMachine } from './state-machine';
import { TaskTokens } from './task-tokens';
import type { Execution, ExecutionResult, ExecutionStatus, World } from './world';

export type { HistoryEvent } from './history';
export { StateError } from './state-error';
export type { Execution, ExecutionResult, ItemSource, ListedObject, TaskCall, TaskRunner, World } from './world';

/** EXPRESS executions end after 5 minutes. */
const expressLimitSeconds = 300;

/**
 * Starts an execution; it goes on by itself on the world's clock. The first event is recorded before this returns.
 *
 * @throws StateError ValidationException when the input is larger than 256 KiB, InvalidName when the name can't be one
 */
export function startExecution(
  machine: StateMachine,
  options: { readonly name: string; readonly input: Json; readonly world: World },
): Execution {
  const input = new Payload(options.input);
  if (input.tooLarge) {
    throw new StateError(
      'ValidationException',
      `the input of the execution '${options.name}' has ${Buffer.byteLength(input.text)} bytes; at most 262144 are allowed`,
    );
  }
  if (!/^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u.test(options.name)) {
    throw new StateError(
      'InvalidName',
      `'${options.name}' is no name for an execution; 1 to 80 characters are allowed, without spaces, brackets, wildcards and special ones`,
    );
  }
  return new RunningExecution(machine, options.name, input, { world: options.world, tokens: new TaskTokens() });
}

class RunningExecution implements Child {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  readonly input: Json;
  readonly startedAtMs: number;
  readonly finished: Promise<ExecutionResult>;
  result: ExecutionResult | null = null;
  readonly #world: World;
  readonly #tokens: TaskTokens;
  readonly #history: History;
  readonly #cancellation = new Cancellation();

  constructor(
    machine: StateMachine,
    name: string,
    input: Payload,
    shared: { readonly world: World; readonly tokens: TaskTokens },
  ) {
    this.#world = shared.world;
    this.#tokens = shared.tokens;
    this.name = name;
    this.arn = `${machine.arn.replace(':stateMachine:', ':execution:')}:${name}`;
    this.stateMachineArn = machine.arn;
    this.input = input.value;
    this.startedAtMs = shared.world.clock.nowMs();
    this.#history = new History(
      shared.world.clock,
      machine.type === 'EXPRESS' ? expressEventLimit : standardEventLimit,
      (event) => {
        shared.world.onEvent?.(this, event);
      },
    );
    const run = this.#runOf(machine);
    this.#history.append('ExecutionStarted', 0, {
      executionStartedEventDetails: { ...inputOf(input.text), roleArn: run.roleArn },
    });
    this.finished = this.#main(run, input);
  }

  get history(): readonly HistoryEvent[] {
    return this.#history.events;
  }

  get status(): ExecutionStatus {
    return this.result?.status ?? 'RUNNING';
  }

  stop(error?: string, cause?: string): void {
    const ended = { error: error ?? null, cause: cause ?? null };
    this.#end('ABORTED', { type: 'ExecutionAborted', previousEventId: 0 }, ended);
  }

  sendTaskSuccess(token: string, output: Json): void {
    this.#tokens.pending(token).succeed(output);
  }

  sendTaskFailure(token: string, error?: string, cause?: string): void {
    this.#tokens.pending(token).fail(error ?? null, cause ?? null);
  }

  sendTaskHeartbeat(token: string): void {
    this.#tokens.pending(token).heartbeat();
  }

  #runOf(machine: StateMachine): Run {
    return {
      machine,
      world: this.#world,
      execution: this,
      history: this.#history,
      tokens: this.#tokens,
      functions: expressionFunctions(this.#world.clock, this.#world.random),
      roleArn: `arn:aws:iam::${machine.arn.split(':')[4] ?? ''}:role/${machine.name}`,
      runGraph: runStates,
      startChild: (childMachine, name, input) =>
        new RunningExecution(childMachine, name, input, { world: this.#world, tokens: this.#tokens }),
    };
  }

  async #main(run: Run, input: Payload): Promise<ExecutionResult> {
    const thread = Thread.top(run, this.#cancellation);
    const limitSeconds = Math.min(
      run.machine.timeoutSeconds ?? Infinity,
      run.machine.type === 'EXPRESS' ? expressLimitSeconds : Infinity,
    );
    const ending = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    if (limitSeconds !== Infinity) {
      void this.#endAfter(limitSeconds);
    }
    try {
      // One turn later, so that the caller holds the execution when its first state runs.
      await Promise.resolve();
      const output = await Promise.race([runStates(thread, run.machine.graph, input), ending]);
      if (output !== undefined) {
        this.#end('SUCCEEDED', { type: 'ExecutionSucceeded', previousEventId: thread.lastEventId }, { output });
      }
    } catch (thrown) {
      if (thrown instanceof StateFailure) {
        const ended = { error: thrown.error, cause: thrown.causeText };
        this.#end('FAILED', { type: 'ExecutionFailed', previousEventId: thread.lastEventId }, ended);
      } else if (this.result === null) {
        // A fault of the interpreter itself; once the execution has ended, what unwinds after it is none.
        this.#cancellation.cancel();
        throw thrown;
      }
    }
    if (this.result === null) {
      throw new Error(`execution '${this.name}' came to no end`);
    }
    return this.result;
  }

  #ended: () => void = () => undefined;

  async #endAfter(limitSeconds: number): Promise<void> {
    try {
      await this.#world.clock.sleep(limitSeconds * 1000, this.#cancellation.signal);
    } catch {
      return;
    }
    this.#end('TIMED_OUT', { type: 'ExecutionTimedOut', previousEventId: 0 }, { error: null, cause: null });
  }

  /** Records the end, once, and gives up whatever still runs. */
  #end(
    status: ExecutionResult['status'],
    event: { readonly type: EventType; readonly previousEventId: number },
    what: { readonly output: Payload } | { readonly error: string | null; readonly cause: string | null },
  ): void {
    if (this.result !== null) {
      return;
    }
    const succeeded = 'output' in what;
    this.result = {
      status,
      output: succeeded ? what.output.value : null,
      error: succeeded ? null : what.error,
      cause: succeeded ? null : what.cause,
      stoppedAtMs: this.#world.clock.nowMs(),
    };
    const detailsName = `${event.type.charAt(0).toLowerCase()}${event.type.slice(1)}EventDetails`;
    const details = succeeded ? outputOf(what.output.text) : endedOf(what.error, what.cause);
    this.#history.close(event.type, event.previousEventId, { [detailsName]: details });
    this.#cancellation.cancel();
    this.#ended();
  }
}
