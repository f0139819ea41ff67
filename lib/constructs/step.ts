import { Duration, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { Architecture, Code, Function as LambdaFunction, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
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
import { bundleStep, entryFile, entryMetadata } from './bundling';
import { networkInterfaces } from './lambda.permissions';
import { logRetention } from './log-retention';
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
}

/** A Lambda function that is one step: its own role with only its permissions, its own log group. */
export class Step extends Construct {
  readonly function: LambdaFunction;
  /** The longest that a state waits for it. */
  readonly timeout: Duration;

  constructor(scope: Construct, id: string, props: StepProps) {
    super(scope, id);
    const surroundings = surroundingsOf(this);
    this.timeout = props.timeout;
    const inVpc = props.reaches === 'databases';
    const logGroup = new LogGroup(this, 'Log', {
      retention: logRetention,
      encryptionKey: surroundings.key,
      removalPolicy: surroundings.removal,
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Step ${props.entry}`,
    });
    this.function = new StepFunction(this, 'Function', {
      description: `Step ${props.entry}`,
      runtime: Runtime.NODEJS_22_X,
      // The architecture of the codec's binary that continuous integration tests with.
      architecture: Architecture.X86_64,
      handler: 'index.handler',
      code: codeOf(this, props),
      role,
      logGroup,
      timeout: functionTimeout(props.timeout),
      memorySize: props.memoryMiB ?? 256,
      environment: { ...surroundings.environment },
      // The state machine's history shows each call; a sampled trace adds cost and says less.
      tracing: Tracing.DISABLED,
      ...(inVpc
        ? {
            vpc: surroundings.vpc,
            vpcSubnets: { subnets: [...surroundings.subnets] },
            securityGroups: [surroundings.stepsGroup],
          }
        : {}),
    });
    logGroup.grantWrite(role);
    (this.function.node.defaultChild as CfnFunction).addMetadata(entryMetadata, entryFile(props.entry));
    const needsOfPlace = inVpc ? [networkInterfaces, settingsRead, secretsRead] : [];
    allow(this, role, [registryUse, ...needsOfPlace, ...(props.uses ?? [])]);
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
        input: props.input,
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
    state.addCatch(props.otherwise, { errors: ['States.ALL'], assign: { failure: '{% $states.errorOutput %}' } });
    return state;
  }
}

/** A function that is called by its own name, never by a version: its callers may call nothing else. */
class StepFunction extends LambdaFunction {
  override get resourceArnsForGrantInvoke(): string[] {
    return [this.functionArn];
  }
}

/** A twentieth less than the state waits, at least 1 s and at most 15 s. */
function functionTimeout(stateTimeout: Duration): Duration {
  const seconds = stateTimeout.toSeconds();
  return Duration.seconds(seconds - Math.min(15, Math.max(1, Math.ceil(seconds / 20))));
}

function codeOf(step: Step, props: StepProps): Code {
  if (!Stack.of(step).bundlingRequired) {
    return Code.fromInline(`// ${entryFile(props.entry)} was not bundled in this synthesis`);
  }
  const bundle = bundleStep(props.entry, { codec: props.codec ?? false });
  return Code.fromAsset(bundle.folder, { assetHash: bundle.hash });
}

function allow(step: Step, role: Role, lists: readonly PermissionList[]): void {
  const { names } = surroundingsOf(step);
  for (const permission of new Set(lists.flat())) {
    const resources = permission.resources(names);
    if (resources.length === 0) {
      continue;
    }
    if (resources.some((resource) => resource.includes('*')) !== (permission.wildcardReason !== undefined)) {
      throw new Error(
        `permission '${permission.sid}' of step '${step.node.id}' needs a wildcardReason exactly when a resource has a '*'`,
      );
    }
    role.addToPolicy(
      new PolicyStatement({
        sid: permission.sid,
        effect: Effect.ALLOW,
        actions: [...permission.actions],
        resources: [...resources],
        conditions: permission.conditions?.(names) ?? {},
      }),
    );
  }
}
