import { visitsOf, type StateEvent } from '../../core/executions/state-visits';
import { messageOf, RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';
import type { ExecutionRecord, Executions, StateVisit } from '../../core/ports/surroundings';
import { startExecution, type Execution, type ExecutionResult, type World } from '../states/execution';
import type { HistoryEvent } from '../states/history';
import type { StateMachine } from '../states/state-machine';

/** A workflow's state machine is called by this and the workflow's name. */
export const machinePrefix = 'rejoin-';

const statuses = {
  RUNNING: 'running',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  TIMED_OUT: 'timed out',
  ABORTED: 'aborted',
} as const satisfies Record<Execution['status'], ExecutionRecord['status']>;

interface Kept {
  readonly execution: Execution;
  result: ExecutionResult | null;
}

export interface ExecutionHooks {
  onEnd(execution: Execution, result: ExecutionResult): void;
  /** The interpreter itself has failed: a defect, whatever the execution did. */
  onFault(execution: Execution, fault: unknown): void;
}

/** Executions of the deployed state machines, run by the interpreter. Names stay taken as long as this lives. */
export class LocalExecutions implements Executions {
  private readonly byArn = new Map<string, Kept>();
  private closed = false;

  /**
   * @param machines the deployed state machines
   * @param world what executions see of the world
   * @param hooks hear of each end
   */
  constructor(
    private readonly machines: readonly StateMachine[],
    private readonly world: World,
    private readonly hooks: ExecutionHooks,
  ) {}

  async start(order: {
    readonly machine: string;
    readonly name: string;
    readonly input: JsonObject;
  }): Promise<{ readonly arn: string; readonly started: boolean }> {
    const { execution, started } = this.begin(this.machineOf(order.machine), order.name, order.input);
    return { arn: execution.arn, started };
  }

  async describe(machine: string, name: string): Promise<ExecutionRecord | null> {
    const known = this.machines.some((deployed) => deployed.name === `${machinePrefix}${machine}`);
    const kept = known ? this.byArn.get(this.arnOf(machine, name)) : undefined;
    if (kept === undefined) {
      return null;
    }
    const { execution, result } = kept;
    return {
      arn: execution.arn,
      status: statuses[execution.status],
      startedAtMs: execution.startedAtMs,
      endedAtMs: result?.stoppedAtMs ?? null,
      output: result?.output ?? null,
    };
  }

  async visits(machine: string, name: string): Promise<readonly StateVisit[]> {
    const kept = this.byArn.get(this.arnOf(machine, name));
    if (kept === undefined) {
      throw new RejoinError('NotFound', `there is no execution '${name}' of '${machine}'`);
    }
    return visitsOf(kept.execution.history.map(stateEvent));
  }

  async running(machine: string): Promise<readonly string[]> {
    const { arn } = this.machineOf(machine);
    return [...this.byArn.values()]
      .filter(({ execution }) => execution.stateMachineArn === arn && execution.status === 'RUNNING')
      .map(({ execution }) => execution.name);
  }

  /** The execution itself: its history, its end. @throws NotFound */
  find(machine: string, name: string): Execution {
    const kept = this.byArn.get(this.arnOf(machine, name));
    if (kept === undefined) {
      throw new RejoinError('NotFound', `there is no execution '${name}' of '${machine}'`);
    }
    return kept.execution;
  }

  /** Every execution so far, oldest first. */
  all(): readonly Execution[] {
    return [...this.byArn.values()].map(({ execution }) => execution);
  }

  /** Starts an execution by its machine's ARN, as services do. @throws NotFound; InvalidInput */
  startByArn(
    machineArn: string,
    name: string,
    input: Json,
  ): { readonly execution: Execution; readonly started: boolean } {
    const machine = this.machines.find(({ arn }) => arn === machineArn);
    if (machine === undefined) {
      throw this.unknownMachine(machineArn);
    }
    return this.begin(machine, name, input);
  }

  /** Stops whatever runs, starts nothing more, and resolves when all of it has ended. */
  async stopAll(reason: string): Promise<void> {
    this.closed = true;
    for (const { execution } of this.byArn.values()) {
      execution.stop('Closing', reason);
    }
    await Promise.all(this.all().map(async ({ finished }) => finished));
  }

  private begin(machine: StateMachine, name: string, input: Json): { execution: Execution; started: boolean } {
    const taken = this.byArn.get(executionArn(machine, name));
    if (taken !== undefined) {
      return { execution: taken.execution, started: false };
    }
    if (this.closed) {
      throw new RejoinError('ApiRefused', `execution '${name}' is not started: the local cloud is closing`);
    }
    let execution: Execution;
    try {
      execution = startExecution(machine, { name, input, world: this.world });
    } catch (thrown) {
      throw new RejoinError('InvalidInput', messageOf(thrown), { cause: thrown });
    }
    const kept: Kept = { execution, result: null };
    this.byArn.set(execution.arn, kept);
    execution.finished
      .then((result) => {
        kept.result = result;
        this.hooks.onEnd(execution, result);
      })
      .catch((thrown: unknown) => {
        this.hooks.onFault(execution, thrown);
      });
    return { execution, started: true };
  }

  private machineOf(workflow: string): StateMachine {
    const machine = this.machines.find(({ name }) => name === `${machinePrefix}${workflow}`);
    if (machine === undefined) {
      throw this.unknownMachine(workflow);
    }
    return machine;
  }

  private arnOf(workflow: string, name: string): string {
    return executionArn(this.machineOf(workflow), name);
  }

  private unknownMachine(given: string): RejoinError {
    const names = this.machines.map(({ name }) => name.replace(machinePrefix, '')).join(', ');
    return new RejoinError('NotFound', `there is no state machine '${given}' (there are: ${names || 'none'})`);
  }
}

function executionArn(machine: StateMachine, name: string): string {
  return `${machine.arn.replace(':stateMachine:', ':execution:')}:${name}`;
}

/** An event as visits are told by. */
export function stateEvent(event: HistoryEvent): StateEvent {
  return {
    id: event.id,
    previousEventId: event.previousEventId,
    type: event.type,
    atMs: Date.parse(event.timestamp),
    state: event.stateEnteredEventDetails?.name ?? event.stateExitedEventDetails?.name ?? null,
  };
}
