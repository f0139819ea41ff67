import type {
  ChoiceState,
  FailState,
  MapState,
  ParallelState,
  State,
  StateGraph,
  TaskState,
  WaitState,
} from '../definition';
import { EvaluationFailure, StateFailure, runtimeFailure } from '../failure';
import { inputOf } from '../history';
import { Payload } from '../payload';
import { parseTimestampMs } from '../timestamp';
import type { Json } from '../../../core/json';
import { Evaluation } from './evaluation';
import type { Exit } from './leave-state';
import { asStateFailure, dataLimitExceeded, leaveState } from './leave-state';
import { Retries, catcherFor } from './recovery';
import { runMap } from './run-map';
import { runParallel } from './run-parallel';
import { runTask } from './run-task';
import type { Thread, Visit } from './thread';

/**
 * Runs the states of one scope from its StartAt to an end, and gives the last output.
 *
 * @throws StateFailure when a state fails and nothing catches it; Interrupted when the line is given up
 */
export async function runStates(thread: Thread, graph: StateGraph, input: Payload): Promise<Payload> {
  let name: string | null = graph.startAt;
  let payload = input;
  while (name !== null) {
    const state = graph.states.get(name);
    if (state === undefined) {
      throw new Error(`state '${name}' does not exist; the loader should have refused this machine`);
    }
    const exit = await runState(thread, enter(thread, state, payload));
    payload = exit.output;
    name = exit.next;
  }
  return payload;
}

function enter(thread: Thread, state: State, input: Payload): Visit {
  const enteredEventId = thread.record(`${state.type}StateEntered`, {
    stateEnteredEventDetails: { name: state.name, ...inputOf(input.text) },
  });
  const enteredTime = new Date(thread.run.world.clock.nowMs()).toISOString();
  const visit: Visit = { state, input, enteredEventId, enteredTime, retryCount: 0, taskToken: null };
  thread.visit = visit;
  return visit;
}

async function runState(thread: Thread, visit: Visit): Promise<Exit> {
  const { state, input } = visit;
  switch (state.type) {
    case 'Task':
    case 'Parallel':
    case 'Map':
      return runWithRecovery(thread, visit, state);
    case 'Pass':
      return reporting(thread, visit, async () =>
        leaveState(thread, visit, state, { outcome: {}, bare: input.value, next: state.next }),
      );
    case 'Succeed':
      return reporting(thread, visit, async () =>
        leaveState(thread, visit, state, { outcome: {}, bare: input.value, next: null }),
      );
    case 'Choice':
      return reporting(thread, visit, async () => choose(thread, visit, state));
    case 'Wait':
      return reporting(thread, visit, async () => wait(thread, visit, state));
    case 'Fail':
      return reporting(thread, visit, async () => fail(thread, visit, state));
  }
}

/** A failed evaluation is recorded where it happened. */
async function reporting<T>(thread: Thread, visit: Visit, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw asStateFailure(thread, visit, thrown);
  }
}

async function runWithRecovery(
  thread: Thread,
  visit: Visit,
  state: TaskState | ParallelState | MapState,
): Promise<Exit> {
  const retries = new Retries(state.retry);
  for (;;) {
    try {
      return await reporting(thread, visit, async () => {
        const result = await runOnce(thread, visit, state);
        if (state.type !== 'Task' && new Payload(result).tooLarge) {
          throw dataLimitExceeded(state.name);
        }
        return leaveState(thread, visit, state, { outcome: { result }, bare: result, next: state.next });
      });
    } catch (thrown) {
      if (!(thrown instanceof StateFailure)) {
        throw thrown;
      }
      const delayMs = retries.nextDelayMs(thrown, thread.run.world.random);
      if (delayMs === null) {
        return await giveUp(thread, visit, state, thrown);
      }
      visit.retryCount++;
      await thread.run.world.clock.sleep(delayMs, thread.cancellation.signal);
    }
  }
}

async function runOnce(thread: Thread, visit: Visit, state: TaskState | ParallelState | MapState): Promise<Json> {
  switch (state.type) {
    case 'Task':
      return runTask(thread, visit, state);
    case 'Parallel':
      return runParallel(thread, visit, state);
    case 'Map':
      return runMap(thread, visit, state);
  }
}

/** After the last retry: the catcher that names the failure, or the failure itself. */
async function giveUp(
  thread: Thread,
  visit: Visit,
  state: TaskState | ParallelState | MapState,
  failure: StateFailure,
): Promise<Exit> {
  if (state.type !== 'Task') {
    thread.record(`${state.type}StateFailed`);
  }
  const catcher = catcherFor(state.catch, failure);
  if (catcher === null) {
    if (state.type !== 'Task') {
      thread.visit = null;
    }
    throw failure;
  }
  // A timeout has no cause, and is handed on with an empty one; where a task gives none, null is handed on.
  const errorOutput: Json = {
    Error: failure.error,
    Cause: failure.causeText ?? (failure.error === 'States.Timeout' ? '' : null),
  };
  return reporting(thread, visit, async () =>
    leaveState(thread, visit, catcher, { outcome: { errorOutput }, bare: errorOutput, next: catcher.next }),
  );
}

async function choose(thread: Thread, visit: Visit, state: ChoiceState): Promise<Exit> {
  const evaluation = new Evaluation(thread, visit);
  const bare = visit.input.value;
  for (const rule of state.choices) {
    if (typeof rule.condition === 'boolean' ? rule.condition : await evaluation.condition(rule.condition)) {
      return leaveState(thread, visit, rule, { outcome: {}, bare, next: rule.next });
    }
  }
  if (state.default === null) {
    throw new StateFailure(
      'States.NoChoiceMatched',
      `An error occurred while executing the state '${state.name}' (entered at the event id #${visit.enteredEventId}). No choice rule matched and there is no Default state`,
    );
  }
  return leaveState(thread, visit, state, { outcome: {}, bare, next: state.default });
}

async function wait(thread: Thread, visit: Visit, state: WaitState): Promise<Exit> {
  const { clock } = thread.run.world;
  const evaluation = new Evaluation(thread, visit);
  const untilMs =
    state.until.kind === 'seconds'
      ? clock.nowMs() + (await evaluation.wholeNumber(state.until.seconds, 0, 'Seconds')) * 1000
      : await timestampMs(evaluation, state.until.timestamp);
  if (untilMs - clock.nowMs() > 99_999_999_000) {
    throw runtimeFailure(
      `An error occurred while executing the state '${state.name}' (entered at the event id #${visit.enteredEventId}). Wait state delay is too long.`,
    );
  }
  if (untilMs > clock.nowMs()) {
    await clock.sleep(untilMs - clock.nowMs(), thread.cancellation.signal);
  }
  return leaveState(thread, visit, state, { outcome: {}, bare: visit.input.value, next: state.next });
}

async function timestampMs(evaluation: Evaluation, field: Parameters<Evaluation['text']>[0]): Promise<number> {
  const text = await evaluation.text(field);
  const ms = parseTimestampMs(text);
  if (ms === null) {
    throw new EvaluationFailure(
      `The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: ${text}`,
      'Timestamp',
    );
  }
  return ms;
}

async function fail(thread: Thread, visit: Visit, state: FailState): Promise<never> {
  const evaluation = new Evaluation(thread, visit);
  const error = state.error === null ? null : await evaluation.text(state.error);
  const cause = state.cause === null ? null : await evaluation.text(state.cause);
  throw new StateFailure(error, cause);
}
