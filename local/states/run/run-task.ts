import type { Json, JsonObject } from '../../../core/json';
import type { Cancellation } from '../cancellation';
import type { TaskState } from '../definition';
import { Interrupted, StateFailure, runtimeFailure } from '../failure';
import { Payload } from '../payload';
import { StateError } from '../state-error';
import { isJsonObject } from '../template';
import { Evaluation } from './evaluation';
import { dataLimitExceeded } from './leave-state';
import { TaskEvents } from './task-events';
import type { Thread, Visit } from './thread';

/**
 * Calls the task once.
 *
 * @throws StateFailure with the task's error
 */
export async function runTask(thread: Thread, visit: Visit, state: TaskState): Promise<Json> {
  const { execution, tokens } = thread.run;
  visit.taskToken = state.resource.pattern === 'token' ? tokens.issue(execution.arn, execution.startedAtMs) : null;
  const evaluation = new Evaluation(thread, visit);
  const args = state.arguments === null ? visit.input : new Payload(await evaluation.template(state.arguments));
  const timeoutSeconds =
    state.timeoutSeconds === null ? null : await evaluation.wholeNumber(state.timeoutSeconds, 1, 'TimeoutSeconds');
  const heartbeatSeconds =
    state.heartbeatSeconds === null
      ? null
      : await evaluation.wholeNumber(state.heartbeatSeconds, 1, 'HeartbeatSeconds');
  if (args.tooLarge) {
    throw dataLimitExceeded(visit.state.name);
  }
  checkArguments(state, visit, args.value);
  const events = new TaskEvents(thread, state.resource);
  events.scheduled(args, timeoutSeconds, heartbeatSeconds);
  const attempt = thread.cancellation.inside();
  try {
    const answer = await new Attempt(thread, visit, state, events, attempt).run(
      args.value,
      timeoutSeconds,
      heartbeatSeconds,
    );
    const output = new Payload(answer);
    if (output.tooLarge) {
      throw dataLimitExceeded(state.resource.kind === 'function' ? state.resource.arn : state.resource.resourceType);
    }
    events.succeeded(output);
    return answer;
  } catch (thrown) {
    const failure = asTaskFailure(thrown);
    if (failure instanceof StateFailure) {
      events.failed(failure);
    }
    throw failure;
  } finally {
    // What still runs for this attempt, a timer or a call that came too late, ends here.
    attempt.cancel();
  }
}

/** Anything that a runner throws fails its task; an error of this interpreter itself is thrown on. */
function asTaskFailure(thrown: unknown): unknown {
  if (thrown instanceof StateFailure || thrown instanceof Interrupted) {
    return thrown;
  }
  if (thrown instanceof StateError) {
    return new StateFailure(thrown.name, thrown.cause);
  }
  return thrown instanceof Error
    ? new StateFailure(thrown.name, thrown.message)
    : new StateFailure('Error', String(thrown));
}

/** Arguments that an expression made are known only now. */
function checkArguments(state: TaskState, visit: Visit, value: Json): void {
  const { argumentNames, requiredArguments, resourceType, resource } = state.resource;
  if (argumentNames === null) {
    return;
  }
  const given = isJsonObject(value) ? Object.keys(value) : [];
  const missing = requiredArguments.filter((name) => !given.includes(name));
  const unknown = given.filter((name) => !argumentNames.includes(name));
  if (missing.length > 0 || unknown.length > 0) {
    throw runtimeFailure(
      `An error occurred while executing the state '${visit.state.name}' (entered at the event id #${visit.enteredEventId}). ` +
        `The Arguments of '${resourceType}:${resource}' ${missing.length > 0 ? `lack ${missing.join(', ')}` : `have the unknown fields ${unknown.join(', ')}`}`,
    );
  }
}

/** One call of a task, with all that can end it. */
class Attempt {
  readonly #thread: Thread;
  readonly #visit: Visit;
  readonly #state: TaskState;
  readonly #events: TaskEvents;
  readonly #cancellation: Cancellation;
  /** Of the call alone: a call that has answered is not given up with the timers of its attempt. */
  readonly #callCancellation: Cancellation;
  #lastHeartbeatMs: number;
  #over = false;

  constructor(thread: Thread, visit: Visit, state: TaskState, events: TaskEvents, cancellation: Cancellation) {
    this.#thread = thread;
    this.#visit = visit;
    this.#state = state;
    this.#events = events;
    this.#cancellation = cancellation;
    this.#callCancellation = cancellation.inside();
    this.#lastHeartbeatMs = thread.run.world.clock.nowMs();
  }

  async run(args: Json, timeoutSeconds: number | null, heartbeatSeconds: number | null): Promise<Json> {
    const timers: Promise<never>[] = [];
    if (timeoutSeconds !== null) {
      timers.push(this.#timeout(timeoutSeconds));
    }
    if (heartbeatSeconds !== null) {
      timers.push(this.#heartbeatTimeout(heartbeatSeconds));
    }
    try {
      const work = this.#state.resource.pattern === 'token' ? this.#answerByToken(args) : this.#answer(args);
      return await this.#cancellation.orInterrupted(
        Promise.race([
          work.finally(() => {
            this.#callCancellation.close();
          }),
          ...timers,
        ]),
      );
    } finally {
      this.#over = true;
      if (this.#visit.taskToken !== null) {
        this.#thread.run.tokens.close(this.#visit.taskToken);
      }
    }
  }

  async #answer(args: Json): Promise<Json> {
    const { pattern, parsesJob } = this.#state.resource;
    const answer = await this.#call(args);
    if (pattern === 'job') {
      this.#submitted(isJsonObject(answer) ? pick(answer, ['ExecutionArn', 'StartDate']) : {});
      return parsesJob ? parseJob(answer) : answer;
    }
    return answer;
  }

  async #answerByToken(args: Json): Promise<Json> {
    const { tokens } = this.#thread.run;
    const token = this.#visit.taskToken ?? '';
    return new Promise<Json>((resolve, reject) => {
      tokens.open(token, {
        succeed: resolve,
        fail: (error, cause) => {
          reject(new StateFailure(error, cause));
        },
        heartbeat: () => {
          this.#lastHeartbeatMs = this.#thread.run.world.clock.nowMs();
        },
      });
      this.#call(args)
        .then((answer) => {
          this.#submitted(answer);
        })
        .catch(reject);
    });
  }

  async #call(args: Json): Promise<Json> {
    const { execution, world } = this.#thread.run;
    const { name, resource } = this.#state;
    return world.tasks.run({
      resource: resource.arn,
      arguments: resource.resourceType === 'lambda' && resource.kind === 'service' ? withRawPayload(args) : args,
      taskToken: this.#visit.taskToken,
      executionArn: execution.arn,
      stateName: name,
      attempt: this.#visit.retryCount + 1,
      signal: this.#callCancellation.signal,
      submitted: (answer) => {
        this.#submitted(answer);
      },
    });
  }

  /** Once, and only while somebody waits: a service may answer after the task has ended. */
  #submitted(answer: Json): void {
    if (!this.#over && !this.#cancellation.cancelled && this.#state.resource.pattern !== 'request') {
      this.#events.submitted(new Payload(answer));
    }
  }

  async #timeout(seconds: number): Promise<never> {
    await this.#thread.run.world.clock.sleep(seconds * 1000, this.#cancellation.signal);
    throw new StateFailure('States.Timeout', null);
  }

  async #heartbeatTimeout(seconds: number): Promise<never> {
    const { clock } = this.#thread.run.world;
    for (;;) {
      const leftMs = this.#lastHeartbeatMs + seconds * 1000 - clock.nowMs();
      if (leftMs <= 0) {
        // AWS records it as States.Timeout; Retry and Catch know it by both names.
        throw new StateFailure('States.Timeout', null, { aliases: ['States.HeartbeatTimeout'] });
      }
      await clock.sleep(leftMs, this.#cancellation.signal);
    }
  }
}

const pick = (from: JsonObject, names: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));

/** Lambda's Payload is bytes: a text is sent as it stands, so that `"0"` arrives as the number. */
function withRawPayload(args: Json): Json {
  if (!isJsonObject(args) || typeof args['Payload'] !== 'string') {
    return args;
  }
  try {
    return { ...args, Payload: JSON.parse(args['Payload']) as Json };
  } catch {
    throw new StateError(
      'Lambda.InvalidRequestContentException',
      `Could not parse request body into json: ${args['Payload']}`,
    );
  }
}

/** `.sync:2` gives the child's Input and Output as JSON. */
function parseJob(answer: Json): Json {
  if (!isJsonObject(answer)) {
    return answer;
  }
  const parsed = Object.entries(answer).map(([name, value]): [string, Json] => {
    if ((name !== 'Input' && name !== 'Output') || typeof value !== 'string') {
      return [name, value];
    }
    try {
      return [name, JSON.parse(value) as Json];
    } catch {
      throw new StateError(
        'States.Runtime',
        `the task runner answered a nested execution with ${name} that is not JSON text: ${value}`,
      );
    }
  });
  return Object.fromEntries(parsed);
}
