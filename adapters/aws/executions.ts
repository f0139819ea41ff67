import {
  DescribeExecutionCommand,
  type DescribeExecutionOutput,
  type ExecutionStatus,
  GetExecutionHistoryCommand,
  type HistoryEvent,
  ListExecutionsCommand,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { RejoinError } from '../../core/errors';
import { type StateEvent, visitsOf } from '../../core/executions/state-visits';
import type { Json, JsonObject } from '../../core/json';
import type { Clock } from '../../core/ports/clock';
import type { ExecutionRecord, Executions, StateVisit } from '../../core/ports/surroundings';
import { apiError, ask, askIfThere, codeOf, type Meanings } from './api-error';

/** An execution's history has at most 25,000 events; a page has 1,000. */
const eventsPerPage = 1_000;
const mostPages = 25;

/** How far the clocks of Step Functions and of this computer may differ. */
const clockMarginMs = 1_000;

const noExecution: Meanings = { ExecutionDoesNotExist: 'NotFound' };
const noMachine: Meanings = { StateMachineDoesNotExist: 'NotFound' };

const statuses: Readonly<Record<ExecutionStatus, ExecutionRecord['status']>> = {
  RUNNING: 'running',
  PENDING_REDRIVE: 'running',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  TIMED_OUT: 'timed out',
  ABORTED: 'aborted',
};

/** Step Functions. */
export class StepFunctionsExecutions implements Executions {
  /** @param machineArnPrefix what stands before a workflow's name: `arn:aws:states:…:stateMachine:rejoin-` */
  constructor(
    private readonly client: SFNClient,
    private readonly machineArnPrefix: string,
    private readonly clock: Clock,
  ) {}

  async start(order: {
    readonly machine: string;
    readonly name: string;
    readonly input: JsonObject;
  }): Promise<{ readonly arn: string; readonly started: boolean }> {
    const begunAtMs = this.clock.nowMs();
    try {
      const { executionArn, startDate } = await this.client.send(
        new StartExecutionCommand({
          stateMachineArn: this.machineArn(order.machine),
          name: order.name,
          input: JSON.stringify(order.input),
        }),
      );
      // The same name with the same input, while it runs, is answered with the execution that runs.
      const started = startDate === undefined || startDate.getTime() >= begunAtMs - clockMarginMs;
      return { arn: executionArn ?? this.executionArn(order.machine, order.name), started };
    } catch (thrown) {
      if (codeOf(thrown) === 'ExecutionAlreadyExists') {
        return { arn: this.executionArn(order.machine, order.name), started: false };
      }
      throw apiError(`start execution '${order.name}' of '${order.machine}'`, thrown, {
        ...noMachine,
        InvalidName: 'InvalidInput',
        ValidationException: 'InvalidInput',
        InvalidExecutionInput: 'InvalidInput',
      });
    }
  }

  async describe(machine: string, name: string): Promise<ExecutionRecord | null> {
    const found = await askIfThere(
      `describe execution '${name}' of '${machine}'`,
      this.client.send(new DescribeExecutionCommand({ executionArn: this.executionArn(machine, name) })),
      noExecution,
    );
    return found === null ? null : recordOf(found);
  }

  async visits(machine: string, name: string): Promise<readonly StateVisit[]> {
    const events: StateEvent[] = [];
    let token: string | undefined;
    for (let page = 1; page <= mostPages; page += 1) {
      const answer = await ask(
        `read the history of execution '${name}' of '${machine}'`,
        this.client.send(
          new GetExecutionHistoryCommand({
            executionArn: this.executionArn(machine, name),
            includeExecutionData: false,
            maxResults: eventsPerPage,
            ...(token === undefined ? {} : { nextToken: token }),
          }),
        ),
        noExecution,
      );
      events.push(...(answer.events ?? []).map(stateEvent));
      token = answer.nextToken;
      if (token === undefined) {
        return visitsOf(events);
      }
    }
    throw new RejoinError(
      'ApiRefused',
      `the history of execution '${name}' of '${machine}' has more than ${mostPages} pages, where Step Functions keeps 25,000 events`,
    );
  }

  async running(machine: string): Promise<readonly string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const page = await ask(
        `list the running executions of '${machine}'`,
        this.client.send(
          new ListExecutionsCommand({
            stateMachineArn: this.machineArn(machine),
            statusFilter: 'RUNNING',
            ...(token === undefined ? {} : { nextToken: token }),
          }),
        ),
        noMachine,
      );
      names.push(...(page.executions ?? []).flatMap(({ name }) => name ?? []));
      token = page.nextToken;
    } while (token !== undefined);
    return names;
  }

  private machineArn(machine: string): string {
    return `${this.machineArnPrefix}${machine}`;
  }

  private executionArn(machine: string, name: string): string {
    return `${this.machineArn(machine).replace(':stateMachine:', ':execution:')}:${name}`;
  }
}

function recordOf(found: DescribeExecutionOutput): ExecutionRecord {
  const { executionArn, status, startDate, stopDate, output } = found;
  if (executionArn === undefined || status === undefined || startDate === undefined) {
    throw new RejoinError('ApiRefused', 'Step Functions described an execution without its ARN, status or start');
  }
  return {
    arn: executionArn,
    status: statuses[status],
    startedAtMs: startDate.getTime(),
    endedAtMs: stopDate?.getTime() ?? null,
    output: output === undefined ? null : (JSON.parse(output) as Json),
  };
}

function stateEvent(event: HistoryEvent): StateEvent {
  return {
    id: event.id ?? 0,
    previousEventId: event.previousEventId ?? 0,
    type: event.type ?? '',
    atMs: event.timestamp?.getTime() ?? 0,
    state: event.stateEnteredEventDetails?.name ?? event.stateExitedEventDetails?.name ?? null,
  };
}
