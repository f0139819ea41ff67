import type { Json } from '../../../core/json';
import type { Cancellation } from '../cancellation';
import type { State, StateGraph } from '../definition';
import type { EventDetails, EventType, History } from '../history';
import type { Payload } from '../payload';
import type { StateMachine } from '../state-machine';
import type { TaskTokens } from '../task-tokens';
import { VariableBudget, Variables } from '../variables';
import type { Execution, ExecutionResult, World } from '../world';

/** A child execution of a distributed map. */
export interface Child extends Execution {
  readonly result: ExecutionResult | null;
}

/** What all lines of one execution share. */
export interface Run {
  readonly machine: StateMachine;
  readonly world: World;
  readonly execution: Execution;
  readonly history: History;
  readonly tokens: TaskTokens;
  /** JSONata functions on this execution's clock and randomness. */
  readonly functions: Readonly<Record<string, unknown>>;
  readonly roleArn: string;
  runGraph(thread: Thread, graph: StateGraph, input: Payload): Promise<Payload>;
  startChild(machine: StateMachine, name: string, input: Payload): Child;
}

/** One visit of a state: from its Entered to its Exited event. */
export interface Visit {
  readonly state: State;
  readonly input: Payload;
  readonly enteredEventId: number;
  readonly enteredTime: string;
  retryCount: number;
  taskToken: string | null;
}

/**
 * A line of states that run one after the other: the top level of an execution, a branch of a Parallel, an iteration of a
 * Map. It knows where its chain of events stands, and which variables it sees.
 */
export class Thread {
  readonly run: Run;
  readonly variables: Variables;
  readonly cancellation: Cancellation;
  /** `$states.context.Map`, inside an iteration. */
  readonly mapContext: Json | null;
  /** The iteration that this line is, for its events. */
  readonly iteration: { readonly name: string; readonly index: number } | null;
  readonly inner = new Set<Thread>();
  /** The state that it is in; null between states, and after the state's own end has been recorded. */
  visit: Visit | null = null;
  /** The event at the end of the chain, and the one before it. */
  lastEventId = 0;
  beforeLastEventId = 0;

  private constructor(
    run: Run,
    variables: Variables,
    cancellation: Cancellation,
    inside: Pick<Thread, 'mapContext' | 'iteration'> = { mapContext: null, iteration: null },
  ) {
    this.run = run;
    this.variables = variables;
    this.cancellation = cancellation;
    this.mapContext = inside.mapContext;
    this.iteration = inside.iteration;
  }

  static top(run: Run, cancellation: Cancellation): Thread {
    return new Thread(run, new Variables(new VariableBudget()), cancellation);
  }

  /** A branch or iteration of the state that this line is in; `inside` is given for iterations. */
  branch(cancellation: Cancellation, inside?: Pick<Thread, 'mapContext' | 'iteration'>): Thread {
    const thread = new Thread(
      this.run,
      this.variables.inner(),
      cancellation,
      inside ?? { mapContext: this.mapContext, iteration: null },
    );
    thread.lastEventId = this.lastEventId;
    thread.beforeLastEventId = this.beforeLastEventId;
    this.inner.add(thread);
    return thread;
  }

  /** Takes note that a branch or iteration has run to its end. */
  leave(branch: Thread): void {
    branch.variables.release();
    this.inner.delete(branch);
  }

  /**
   * Records an event at the end of this line's chain.
   *
   * @throws Interrupted when the line has been given up
   */
  record(type: EventType, details?: Partial<EventDetails>, previousEventId = this.lastEventId): number {
    this.cancellation.assertLive();
    const id = this.run.history.append(type, previousEventId, details);
    this.beforeLastEventId = previousEventId;
    this.lastEventId = id;
    return id;
  }

  /** Records an event that later ones do not follow: AWS numbers some ends of states, branches and iterations so. */
  recordAside(type: EventType, details?: Partial<EventDetails>, previousEventId = this.lastEventId): number {
    this.cancellation.assertLive();
    return this.run.history.append(type, previousEventId, details);
  }

  /** Goes on from where a branch or iteration ended. */
  continueFrom(eventId: number): void {
    this.beforeLastEventId = this.lastEventId;
    this.lastEventId = eventId;
  }
}
