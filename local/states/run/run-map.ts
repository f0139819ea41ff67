import type { Json } from '../../../core/json';
import type { MapState } from '../definition';
import { EvaluationFailure, StateFailure, runtimeFailure } from '../failure';
import type { Tolerance } from '../map/tolerance';
import { Payload } from '../payload';
import { recordAborted, recordGivenUp } from './aborted-events';
import { Evaluation } from './evaluation';
import { asStateFailure, dataLimitExceeded } from './leave-state';
import { runDistributedMap } from './run-distributed-map';
import type { Thread, Visit } from './thread';

/** AWS runs at most this many iterations of an inline map at once. */
const inlineConcurrency = 40;

/**
 * Runs a map's iterations.
 *
 * @throws StateFailure of the iteration that failed first, or of the map itself
 */
export async function runMap(thread: Thread, visit: Visit, state: MapState): Promise<Json> {
  const evaluation = new Evaluation(thread, visit);
  const concurrency =
    state.maxConcurrency === null ? 0 : await evaluation.wholeNumber(state.maxConcurrency, 0, 'MaxConcurrency');
  const tolerance = await readTolerance(evaluation, visit, state);
  const items =
    state.distributed?.itemReader === null || state.distributed === null
      ? await readItems(evaluation, visit, state)
      : null;
  if (state.distributed !== null) {
    return runDistributedMap(thread, visit, { state, mode: state.distributed, items, concurrency, tolerance });
  }
  // AWS accepts a tolerance on an inline map, and fails it with its first failed iteration all the same.
  thread.record('MapStateStarted', { mapStateStartedEventDetails: { length: items?.length ?? 0 } });
  const limit = concurrency === 0 ? inlineConcurrency : Math.min(concurrency, inlineConcurrency);
  return new InlineMap(thread, visit, state, items ?? []).run(limit);
}

async function readItems(evaluation: Evaluation, visit: Visit, state: MapState): Promise<readonly Json[]> {
  if (state.items !== null) {
    return evaluation.list(state.items);
  }
  const { value, text } = visit.input;
  if (!Array.isArray(value)) {
    throw new EvaluationFailure(`Map state input must be an array but was: ${text}`, null);
  }
  return value as readonly Json[];
}

async function readTolerance(evaluation: Evaluation, visit: Visit, state: MapState): Promise<Tolerance> {
  const refuse = (cause: string): StateFailure =>
    runtimeFailure(
      `An error occurred while executing the state '${state.name}' (entered at the event id #${visit.enteredEventId}). ${cause}`,
    );
  const count = state.toleratedFailureCount === null ? null : await evaluation.number(state.toleratedFailureCount);
  const percentage =
    state.toleratedFailurePercentage === null ? null : await evaluation.number(state.toleratedFailurePercentage);
  if (count !== null && (count < 0 || !Number.isInteger(count))) {
    throw refuse(
      count < 0 ? 'ToleratedFailureCount cannot be negative.' : 'ToleratedFailureCount must be a whole number.',
    );
  }
  if (percentage !== null && (percentage < 0 || percentage > 100)) {
    throw refuse('ToleratedFailurePercentage must be between 0 and 100.');
  }
  return { count, percentage };
}

/** The iterations of one inline map. */
class InlineMap {
  readonly #thread: Thread;
  readonly #visit: Visit;
  readonly #state: MapState;
  readonly #items: readonly Json[];
  readonly #outputs: Json[] = [];
  readonly #failures: StateFailure[] = [];
  #started = 0;
  #lastSucceededEventId: number;

  constructor(thread: Thread, visit: Visit, state: MapState, items: readonly Json[]) {
    this.#thread = thread;
    this.#visit = visit;
    this.#state = state;
    this.#items = items;
    this.#lastSucceededEventId = thread.lastEventId;
  }

  async run(limit: number): Promise<Json> {
    const group = this.#thread.cancellation.inside();
    const first = Array.from({ length: Math.min(limit, this.#items.length) }, () => this.#start(group));
    try {
      await Promise.all(
        first.map(async (iteration) => {
          for (let current: Thread | null = iteration; current !== null;) {
            await this.#iterate(current);
            const endedAt: number = current.lastEventId;
            current = this.#started < this.#items.length ? this.#start(group, endedAt) : null;
          }
        }),
      );
    } catch (thrown) {
      // The iterations that the first failure ended reject as well.
      throw this.#failures[0] ?? thrown;
    } finally {
      group.cancel();
      for (const iteration of [...this.#thread.inner]) {
        this.#thread.leave(iteration);
      }
    }
    this.#thread.continueFrom(this.#lastSucceededEventId);
    this.#thread.recordAside('MapStateSucceeded');
    return this.#outputs;
  }

  /** Begins the next iteration, after the event of what made place for it. */
  #start(group: Thread['cancellation'], afterEventId = this.#thread.lastEventId): Thread {
    const index = this.#started++;
    const iteration = { name: this.#state.name, index };
    const mapContext = { Item: { Index: index, Value: this.#items[index] ?? null } };
    const branch = this.#thread.branch(group, { iteration, mapContext });
    branch.record('MapIterationStarted', { mapIterationStartedEventDetails: iteration }, afterEventId);
    return branch;
  }

  async #iterate(branch: Thread): Promise<void> {
    const { iteration } = branch;
    if (iteration === null) {
      return;
    }
    try {
      const input = await this.#inputOf(branch);
      this.#outputs[iteration.index] = (await this.#thread.run.runGraph(branch, this.#state.processor, input)).value;
    } catch (thrown) {
      if (thrown instanceof StateFailure) {
        this.#failures.push(thrown);
        this.#endByFailure(branch);
      }
      throw thrown;
    }
    this.#lastSucceededEventId = branch.recordAside('MapIterationSucceeded', {
      mapIterationSucceededEventDetails: iteration,
    });
    this.#thread.leave(branch);
  }

  async #inputOf(branch: Thread): Promise<Payload> {
    const index = branch.iteration?.index ?? 0;
    if (this.#state.itemSelector === null) {
      return new Payload(this.#items[index] ?? null);
    }
    try {
      const evaluation = new Evaluation(this.#thread, this.#visit, {}, branch.mapContext);
      const input = new Payload(await evaluation.template(this.#state.itemSelector));
      if (input.tooLarge) {
        throw dataLimitExceeded(this.#state.name);
      }
      return input;
    } catch (thrown) {
      branch.cancellation.assertLive();
      throw asStateFailure(branch, this.#visit, thrown);
    }
  }

  #endByFailure(failed: Thread): void {
    if (failed.cancellation.cancelled || failed.iteration === null) {
      return;
    }
    this.#thread.continueFrom(failed.lastEventId);
    failed.recordAside('MapIterationFailed', { mapIterationFailedEventDetails: failed.iteration });
    recordAborted(failed, failed.lastEventId);
    for (const other of this.#thread.inner) {
      if (other !== failed) {
        recordGivenUp(other, failed.lastEventId);
      }
    }
    failed.cancellation.cancel();
  }
}
