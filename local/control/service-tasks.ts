import { randomUUID } from 'node:crypto';
import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';
import type { LocalFunctions } from '../lambdas/local-functions';
import type { StateGraph } from '../states/definition';
import { StateError, type Execution, type ExecutionResult, type TaskCall, type TaskRunner } from '../states/execution';
import type { StateMachine } from '../states/state-machine';
import type { TaskResource } from '../states/task-resource';
import type { LocalExecutions } from './local-executions';

/** The name in a function's ARN, or the name itself; a version or alias after it is ours anyway. */
export function functionNameOf(arnOrName: string): string {
  return /(?:^|:function:)([A-Za-z0-9-_]+)(?::[A-Za-z0-9-_$]+)?$/.exec(arnOrName)?.[1] ?? arnOrName;
}

/** Calls that states make: functions and nested executions. */
export class ServiceTasks implements TaskRunner {
  /** @param executions known only when this is: executions run tasks that start executions */
  constructor(
    private readonly functions: LocalFunctions,
    private readonly executions: () => LocalExecutions,
  ) {}

  async run(call: TaskCall): Promise<Json> {
    const [, service = '', action = ''] = /:states:::([^:]+):(.+)$/.exec(call.resource) ?? [];
    if (service === '') {
      return this.functions.invoke(functionNameOf(call.resource), call.arguments, call.signal);
    }
    const given = (call.arguments ?? {}) as JsonObject;
    return service === 'lambda' ? this.invoke(call, given) : this.startNested(call, given, action);
  }

  private async invoke(call: TaskCall, given: JsonObject): Promise<Json> {
    const name = functionNameOf(text(given['FunctionName']));
    const payload = given['Payload'] ?? {};
    if (given['InvocationType'] === 'Event') {
      // Nobody waits for it; that it failed stands in its log.
      void this.functions.invoke(name, payload).catch(() => undefined);
      return { StatusCode: 202 };
    }
    const answer = await this.functions.invoke(name, payload, call.signal);
    return { ExecutedVersion: '$LATEST', Payload: answer, StatusCode: 200 };
  }

  private async startNested(call: TaskCall, given: JsonObject, action: string): Promise<Json> {
    const name = given['Name'] === undefined ? randomUUID() : text(given['Name']);
    const input = typeof given['Input'] === 'string' ? (JSON.parse(given['Input']) as Json) : (given['Input'] ?? {});
    const { execution, started } = this.begin(text(given['StateMachineArn']), name, input);
    if (!started && JSON.stringify(execution.input) !== JSON.stringify(input)) {
      throw new StateError(
        'StepFunctions.ExecutionAlreadyExistsException',
        `Execution Already Exists: '${execution.arn}'`,
      );
    }
    const accepted = { ExecutionArn: execution.arn, StartDate: new Date(execution.startedAtMs).toISOString() };
    if (!action.includes('.sync')) {
      return accepted;
    }
    call.submitted(accepted);
    call.signal.addEventListener('abort', () => {
      execution.stop('States.TaskFailed', 'the state that waited for this execution was given up');
    });
    const described = describe(execution, await execution.finished);
    if (execution.status !== 'SUCCEEDED') {
      throw new StateError('States.TaskFailed', JSON.stringify(described));
    }
    return described;
  }

  private begin(arn: string, name: string, input: Json): ReturnType<LocalExecutions['startByArn']> {
    try {
      return this.executions().startByArn(arn, name, input);
    } catch (thrown) {
      const missing = thrown instanceof RejoinError && thrown.name === 'NotFound';
      throw new StateError(
        missing ? 'StepFunctions.StateMachineDoesNotExistException' : 'StepFunctions.InvalidExecutionInputException',
        thrown instanceof Error ? thrown.message : String(thrown),
      );
    }
  }
}

/** As DescribeExecution says it. */
function describe(execution: Execution, result: ExecutionResult): JsonObject {
  return {
    ExecutionArn: execution.arn,
    Input: JSON.stringify(execution.input),
    InputDetails: { Included: true },
    Name: execution.name,
    ...(result.status === 'SUCCEEDED'
      ? { Output: JSON.stringify(result.output), OutputDetails: { Included: true } }
      : {
          ...(result.error === null ? {} : { Error: result.error }),
          ...(result.cause === null ? {} : { Cause: result.cause }),
        }),
    StartDate: execution.startedAtMs,
    StateMachineArn: execution.stateMachineArn,
    Status: result.status,
    StopDate: result.stoppedAtMs,
  };
}

/** @throws InvalidInput, naming machine and state, for a call that is not run here */
export function checkTasks(machine: StateMachine, functionNames: ReadonlySet<string>): void {
  for (const { state, resource } of tasksOf(machine.graph)) {
    if (resource.resourceType !== 'lambda' && resource.resourceType !== 'states') {
      throw new RejoinError(
        'InvalidInput',
        `state '${state}' of '${machine.name}' calls ${resource.arn}, which the local cloud does not have`,
      );
    }
    const name = functionNameOf(resource.arn);
    if (resource.kind === 'function' && !functionNames.has(name)) {
      throw new RejoinError(
        'InvalidInput',
        `state '${state}' of '${machine.name}' calls function '${name}', which is not deployed`,
      );
    }
  }
}

function tasksOf(graph: StateGraph): readonly { readonly state: string; readonly resource: TaskResource }[] {
  return [...graph.states.values()].flatMap((state) => {
    if (state.type === 'Task') {
      return [{ state: state.name, resource: state.resource }];
    }
    if (state.type === 'Parallel') {
      return state.branches.flatMap(tasksOf);
    }
    return state.type === 'Map' ? tasksOf(state.processor) : [];
  });
}

function text(given: Json | undefined): string {
  return typeof given === 'string' ? given : '';
}
