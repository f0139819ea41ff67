import type { Duration } from 'aws-cdk-lib';
import { Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { Architecture, Code, Function as LambdaFunction, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { PermissionList } from '../../core/permissions/permission';
import type { Wildcard } from './allowed';
import { allowed } from './allowed';
import { bundleStep, entryFile, entryMetadata } from './bundling';
import { networkInterfaces } from './lambda.permissions';
import { logRetention } from './log-retention';
import { surroundingsOf } from './surroundings';

/** Where a function gets its network interfaces. */
export interface Place {
  readonly subnetIds: readonly string[];
  readonly groupId: string;
}

export interface CodeFunctionProps {
  /** The file under `lambdas/`, without its ending. */
  readonly entry: string;
  readonly description: string;
  readonly timeout: Duration;
  readonly memoryMiB: number;
  /** Ships the codec's binary. */
  readonly codec: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly permissions: readonly PermissionList[];
  /** Null: outside the VPC. */
  readonly place: Place | null;
}

/**
 * A Lambda function made of one file: its own role with only its permissions, its own encrypted log group. No concurrency
 * is reserved: maps bound how many run at once, and a reservation would take what other functions of the account need.
 */
export class CodeFunction extends Construct {
  readonly function: LambdaFunction;
  readonly entry: string;
  readonly codec: boolean;
  /** The resources with a `*` that it may use, and why. */
  readonly wildcards: readonly Wildcard[];

  constructor(scope: Construct, id: string, props: CodeFunctionProps) {
    super(scope, id);
    this.entry = props.entry;
    this.codec = props.codec;
    const surroundings = surroundingsOf(this);
    const logGroup = new LogGroup(this, 'Log', {
      retention: logRetention,
      encryptionKey: surroundings.key,
      removalPolicy: surroundings.removal,
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: props.description,
    });
    this.function = new UnversionedFunction(this, 'Function', {
      description: props.description,
      runtime: Runtime.NODEJS_22_X,
      // The architecture of the codec's binary that the tests run with.
      architecture: Architecture.X86_64,
      handler: 'index.handler',
      code: this.code(props),
      role,
      logGroup,
      timeout: props.timeout,
      memorySize: props.memoryMiB,
      environment: { ...props.environment },
      // The state machine's history shows each call; a sampled trace costs more and says less.
      tracing: Tracing.DISABLED,
    });
    logGroup.grantWrite(role);
    const resource = this.function.node.defaultChild as CfnFunction;
    resource.addMetadata(entryMetadata, entryFile(props.entry));
    if (props.place !== null) {
      // Said directly: the CDK's own subnets want to know more than an id.
      resource.vpcConfig = { subnetIds: [...props.place.subnetIds], securityGroupIds: [props.place.groupId] };
    }
    const ofPlace = props.place === null ? [] : [networkInterfaces];
    const { statements, wildcards } = allowed([...ofPlace, ...props.permissions], surroundings.names);
    for (const statement of [...statements, ...(props.place === null ? [] : [noInterfacesByCode(this)])]) {
      role.addToPolicy(statement);
    }
    this.wildcards = wildcards;
  }

  private code(props: CodeFunctionProps): Code {
    if (!Stack.of(this).bundlingRequired) {
      return Code.fromInline(`// ${entryFile(props.entry)} was not bundled in this synthesis`);
    }
    const bundle = bundleStep(props.entry, { codec: props.codec });
    return Code.fromAsset(bundle.folder, { assetHash: bundle.hash });
  }
}

/** Lambda needs the interfaces in the function's name; the function's own code does not. */
function noInterfacesByCode(construct: Construct): PolicyStatement {
  const { partition, region, account } = Stack.of(construct);
  return new PolicyStatement({
    sid: 'NoInterfacesByCode',
    effect: Effect.DENY,
    actions: networkInterfaces.flatMap(({ actions }) => actions),
    resources: ['*'],
    conditions: {
      ArnLike: { 'lambda:SourceFunctionArn': `arn:${partition}:lambda:${region}:${account}:function:*` },
    },
  });
}

/** A function that is called by its own name, never by a version: its callers may call nothing else. */
class UnversionedFunction extends LambdaFunction {
  override get resourceArnsForGrantInvoke(): string[] {
    return [this.functionArn];
  }
}
