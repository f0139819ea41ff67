import type { Json } from '../../../core/json';
import type { DistributedMode, MapState } from '../definition';
import { StateFailure } from '../failure';
import { endedOf } from '../history';
import type { ChildInput } from '../map/batch-items';
import { batchItems } from '../map/batch-items';
import { readItems } from '../map/read-items';
import type { Tolerance } from '../map/tolerance';
import { exceedsTolerance } from '../map/tolerance';
import type { ChildOutcome } from '../map/write-results';
import { resultsInState, writeResults } from '../map/write-results';
import { Payload } from '../payload';
import { randomUuid } from '../random-uuid';
import type { StateMachine } from '../state-machine';
import { Evaluation } from './evaluation';
import { asStateFailure, dataLimitExceeded } from './leave-state';
import type { Child, Thread, Visit } from './thread';

/** AWS runs at most this many children of one map at once. */
const childConcurrency = 10_000;

interface DistributedMap {
  readonly state: MapState;
  readonly mode: DistributedMode;
  /** Null: an item reader reads them. */
  readonly items: readonly Json[] | null;
  /** 0: as many as AWS allows. */
  readonly concurrency: number;
  readonly tolerance: Tolerance;
}

/**
 * Runs each item, or batch of items, as a child execution with its own history.
 *
 * @throws StateFailure States.ExceedToleratedFailureThreshold, States.ItemReaderFailed or States.ResultWriterFailed
 */
export async function runDistributedMap(thread: Thread, visit: Visit, map: DistributedMap): Promise<Json> {
  const { random } = thread.run.world;
  const { machine } = thread.run;
  thread.record('MapStateStarted', { mapStateStartedEventDetails: { length: map.items?.length ?? 0 } });
  const label = map.mode.label ?? randomUuid(random);
  const id = randomUuid(random);
  const arn = `${machine.arn.replace(':stateMachine:', ':mapRun:')}/${label}:${id}`;
  const mapRunStartedId = thread.record('MapRunStarted', { mapRunStartedEventDetails: { mapRunArn: arn } });
  try {
    const inputs = await inputsOf(thread, visit, map);
    const childMachine: StateMachine = {
      ...machine,
      arn: `${machine.arn}/${label}`,
      type: map.mode.executionType,
      graph: map.state.processor,
      timeoutSeconds: null,
    };
    const { outcomes, exceeded } = await new Children(thread, childMachine, inputs, map.tolerance).run(
      Math.min(map.concurrency === 0 ? childConcurrency : map.concurrency, childConcurrency),
    );
    const writer = map.mode.resultWriter;
    const exported =
      writer?.arguments == null
        ? null
        : await writeResults(
            outcomes,
            { arn, id, stateMachineArn: childMachine.arn },
            writer,
            await new Evaluation(thread, visit).template(writer.arguments),
            thread.run.world.objects,
          );
    if (exceeded) {
      throw new StateFailure(
        'States.ExceedToleratedFailureThreshold',
        'The specified tolerated failure threshold was exceeded',
      );
    }
    const mapRunSucceededId = thread.record('MapRunSucceeded');
    thread.recordAside('MapStateSucceeded');
    // As AWS numbers it: what follows the state follows the run's end where results were exported, else its start.
    thread.continueFrom(exported === null ? mapRunStartedId : mapRunSucceededId);
    return exported === null
      ? resultsInState(outcomes, writer?.transformation ?? 'COMPACT', childMachine.arn)
      : { MapRunArn: arn, ResultWriterDetails: exported };
  } catch (thrown) {
    const failure = asStateFailure(thread, visit, thrown);
    if (failure instanceof StateFailure) {
      thread.record('MapRunFailed', { mapRunFailedEventDetails: endedOf(failure.error, failure.causeText) });
    }
    throw failure;
  }
}

/** Reads, selects and batches the items. */
async function inputsOf(
  thread: Thread,
  visit: Visit,
  { state, mode, items }: DistributedMap,
): Promise<readonly ChildInput[]> {
  const evaluation = new Evaluation(thread, visit);
  let given = items ?? [];
  if (mode.itemReader !== null) {
    const args = await evaluation.template(mode.itemReader.arguments);
    const maxItems =
      mode.itemReader.maxItems === null
        ? null
        : await evaluation.wholeNumber(mode.itemReader.maxItems, -Infinity, 'MaxItems');
    given = await thread.cancellation.orInterrupted(
      readItems(mode.itemReader, args, maxItems, thread.run.world.objects),
    );
  }
  const selected: Json[] = [];
  for (const [index, value] of given.entries()) {
    const mapContext = { Item: { Index: index, Value: value } };
    selected.push(
      state.itemSelector === null
        ? value
        : await new Evaluation(thread, visit, {}, mapContext).template(state.itemSelector),
    );
  }
  if (mode.itemBatcher !== null) {
    const { maxItemsPerBatch, maxInputBytesPerBatch, batchInput } = mode.itemBatcher;
    const limits = {
      maxItems:
        maxItemsPerBatch === null ? null : await evaluation.wholeNumber(maxItemsPerBatch, 1, 'MaxItemsPerBatch'),
      maxBytes:
        maxInputBytesPerBatch === null
          ? null
          : await evaluation.wholeNumber(maxInputBytesPerBatch, 1, 'MaxInputBytesPerBatch'),
      batchInput: batchInput === null ? undefined : await evaluation.template(batchInput),
    };
    return batchItems(selected, limits, state.name);
  }
  return selected.map((item) => {
    const payload = new Payload(item);
    if (payload.tooLarge) {
      throw dataLimitExceeded(state.name);
    }
    return { payload, items: 1 };
  });
}

/** The child executions of one map run. */
class Children {
  readonly #thread: Thread;
  readonly #machine: StateMachine;
  readonly #inputs: readonly ChildInput[];
  readonly #tolerance: Tolerance;
  readonly #totalItems: number;
  readonly #children: Child[] = [];
  readonly #running = new Set<Child>();
  #failedItems = 0;

  constructor(thread: Thread, machine: StateMachine, inputs: readonly ChildInput[], tolerance: Tolerance) {
    this.#thread = thread;
    this.#machine = machine;
    this.#inputs = inputs;
    this.#tolerance = tolerance;
    this.#totalItems = inputs.reduce((sum, input) => sum + input.items, 0);
  }

  async run(concurrency: number): Promise<{ readonly outcomes: readonly ChildOutcome[]; readonly exceeded: boolean }> {
    try {
      await Promise.all(Array.from({ length: Math.min(concurrency, this.#inputs.length) }, async () => this.#work()));
    } finally {
      this.#stopRunning();
    }
    const outcomes = this.#inputs.map((input, index) => ({ input, child: this.#children[index] ?? null }));
    return { outcomes, exceeded: this.#exceeded() };
  }

  async #work(): Promise<void> {
    for (;;) {
      const input = this.#inputs[this.#children.length];
      if (input === undefined || this.#exceeded()) {
        return;
      }
      const child = this.#thread.run.startChild(
        this.#machine,
        randomUuid(this.#thread.run.world.random),
        input.payload,
      );
      this.#children.push(child);
      this.#running.add(child);
      const result = await this.#thread.cancellation.orInterrupted(child.finished);
      this.#running.delete(child);
      // What the run itself stopped, because too much had failed, is no failure of its own.
      if (result.status !== 'SUCCEEDED' && !this.#exceeded()) {
        this.#failedItems += input.items;
        if (this.#exceeded()) {
          this.#stopRunning();
        }
      }
    }
  }

  #stopRunning(): void {
    for (const child of this.#running) {
      child.stop();
    }
    this.#running.clear();
  }

  #exceeded(): boolean {
    return exceedsTolerance(this.#tolerance, this.#failedItems, this.#totalItems);
  }
}
