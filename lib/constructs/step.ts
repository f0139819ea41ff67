import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { State } from 'aws-cdk-lib/aws-stepfunctions';
import { JitterType, TaskInput, Timeout } from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import { registryUse } from '../../adapters/aws/registry.permissions';
import { secretsRead } from '../../adapters/aws/secrets.permissions';
import { settingsRead } from '../../adapters/aws/settings.permissions';
import type { ErrorName } from '../../core/errors';
import { lambdaErrors, transientErrors } from '../../core/errors';
import type { PermissionList } from '../../core/permissions/permission';
import { CodeFunction } from './code-function';
import { surroundingsOf } from './surroundings';
import { Workflow } from './workflow';

export interface StepProps {
  /** The step's file under `lambdas/`, without its ending: `node-recovery/confirm-failure`. */
  readonly entry: string;
  /** How long a state waits for it. The function itself gets a little less, so that it fails with its own error. */
  readonly timeout: Duration;
  /** @default 256 */
  readonly memoryMiB?: number;
  /**
   * `databases`: runs in the sites' subnets and may read settings and the clusters' database secrets.
   *
   * @default 'aws'
   */
  readonly reaches?: 'aws' | 'databases';
  /**
   * What it may do beyond the registry, which every step uses.
   *
   * @default none
   */
  readonly uses?: readonly PermissionList[];
  /**
   * Whether it compresses: ships the codec's binary.
   *
   * @default false
   */
  readonly codec?: boolean;
}

export interface StateProps {
  /** The step's own input: values and `{% … %}` expressions. */
  readonly input: Readonly<Record<string, unknown>>;
  /** @default the step's */
  readonly timeout?: Duration;
  /** Variables that the state sets; the step's answer is `$states.result.Payload`. */
  readonly assign?: Readonly<Record<string, unknown>>;
  /** @default '{% $states.result.Payload %}' */
  readonly output?: unknown;
  /**
   * Errors that are tried again, beside the transient ones and Lambda's own.
   *
   * @default none
   */
  readonly retry?: readonly ErrorName[];
  /** Where every error leads; it finds `{Error, Cause}` in `$failure`. */
  readonly otherwise: State;
  /**
   * The variable that `otherwise` finds the error in. Inside a map or a branch it needs a name of its own: an inner scope
   * must not assign what an outer one assigns.
   *
   * @default 'failure'
   */
  readonly failureVariable?: string;
}

/** A Lambda function that is one step. */
export class Step extends Construct {
  readonly function: IFunction;
  /** The longest that a state waits for it. */
  readonly timeout: Duration;

  constructor(scope: Construct, id: string, props: StepProps) {
    super(scope, id);
    const { environment, subnetIds, stepsGroupId } = surroundingsOf(this);
    const reachesDatabases = props.reaches === 'databases';
    this.timeout = props.timeout;
    this.function = new CodeFunction(this, 'Code', {
      entry: props.entry,
      description: `Step ${props.entry}`,
      timeout: functionTimeout(props.timeout),
      memoryMiB: props.memoryMiB ?? 256,
      codec: props.codec ?? false,
      environment,
      permissions: [registryUse, ...(reachesDatabases ? [settingsRead, secretsRead] : []), ...(props.uses ?? [])],
      place: reachesDatabases ? { subnetIds, groupId: stepsGroupId } : null,
    }).function;
  }

  /** A state that calls this step. Its name is a sentence for the operator. */
  state(name: string, props: StateProps): LambdaInvoke {
    const workflow = Workflow.of(this);
    const timeout = props.timeout ?? this.timeout;
    const functionSeconds = functionTimeout(this.timeout).toSeconds();
    if (timeout.toSeconds() <= functionSeconds) {
      throw new Error(
        `state '${name}' waits ${timeout.toSeconds()} s for a step that may take ${functionSeconds} s; give it more, or the step less`,
      );
    }
    const state = LambdaInvoke.jsonata(this, name, {
      stateName: name,
      lambdaFunction: this.function,
      payload: TaskInput.fromObject({
        run: {
          machine: workflow.name,
          execution: '{% $states.context.Execution.Name %}',
          state: '{% $states.context.State.Name %}',
        },
        input: withEmptyTextAsExpression(props.input),
      }),
      outputs: props.output ?? '{% $states.result.Payload %}',
      ...(props.assign === undefined ? {} : { assign: { ...props.assign } }),
      taskTimeout: Timeout.duration(timeout),
      retryOnServiceExceptions: false,
    });
    state.addRetry({
      errors: [...transientErrors, ...lambdaErrors, ...(props.retry ?? [])],
      interval: Duration.seconds(1),
      backoffRate: 2,
      maxAttempts: 4,
      maxDelay: Duration.seconds(30),
      jitterStrategy: JitterType.FULL,
    });
    state.addCatch(props.otherwise, {
      errors: ['States.ALL'],
      assign: { [props.failureVariable ?? 'failure']: '{% $states.errorOutput %}' },
    });
    return state;
  }
}

/** A twentieth less than the state waits, at least 1 s and at most 15 s. */
function functionTimeout(stateTimeout: Duration): Duration {
  const seconds = stateTimeout.toSeconds();
  return Duration.seconds(seconds - Math.min(15, Math.max(1, Math.ceil(seconds / 20))));
}

/** Step Functions takes an empty text, but the published schema of its language does not. */
function withEmptyTextAsExpression(value: unknown): unknown {
  if (value === '') {
    return "{% '' %}";
  }
  if (Array.isArray(value)) {
    return value.map(withEmptyTextAsExpression);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withEmptyTextAsExpression(inner)]))
    : value;
}
