/** How a task's resource is called and how its events are named. */
export interface TaskResource {
  readonly arn: string;
  /** `function`: a bare Lambda ARN, whose events are LambdaFunction…; `service`: an integration, whose events are Task… */
  readonly kind: 'function' | 'service';
  /** `request`: the answer is the result; `job`: the result is that of the started job; `token`: the result comes with a token. */
  readonly pattern: 'request' | 'job' | 'token';
  /** Such as `lambda`, `states`, `aws-sdk:ec2`. */
  readonly resourceType: string;
  /** Such as `invoke`, `startExecution.sync:2`. */
  readonly resource: string;
  /** Whether a job's Input and Output are given as JSON (`.sync:2`) instead of text. */
  readonly parsesJob: boolean;
  /** The fields that its Arguments may have; null where the service is not known here. */
  readonly argumentNames: readonly string[] | null;
  readonly requiredArguments: readonly string[];
}

const partition = 'arn:aws(?:-[a-z]+)*';
const functionArn = new RegExp(
  `^${partition}:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9-_]+(?::[A-Za-z0-9-_$]+)?$`,
);
const sdkArn = new RegExp(`^${partition}:states:::(aws-sdk:[a-z0-9]+):([a-zA-Z0-9]+)(\\.waitForTaskToken)?$`);
const serviceArn = new RegExp(`^${partition}:states:::(lambda|states):([A-Za-z]+(?:\\.[A-Za-z]+(?::2)?)?)$`);

const lambdaArguments = ['FunctionName', 'Payload', 'InvocationType', 'ClientContext', 'LogType', 'Qualifier'];
const executionArguments = ['StateMachineArn', 'Input', 'Name', 'TraceHeader'];

const lambda = { argumentNames: lambdaArguments, requiredArguments: ['FunctionName'] };
const nested = { argumentNames: executionArguments, requiredArguments: ['StateMachineArn'] };

const services: Readonly<
  Record<string, Pick<TaskResource, 'pattern' | 'parsesJob' | 'argumentNames' | 'requiredArguments'>>
> = {
  'lambda:invoke': { pattern: 'request', parsesJob: false, ...lambda },
  'lambda:invoke.waitForTaskToken': { pattern: 'token', parsesJob: false, ...lambda },
  'states:startExecution': { pattern: 'request', parsesJob: false, ...nested },
  'states:startExecution.sync': { pattern: 'job', parsesJob: false, ...nested },
  'states:startExecution.sync:2': { pattern: 'job', parsesJob: true, ...nested },
  'states:startExecution.waitForTaskToken': { pattern: 'token', parsesJob: false, ...nested },
};

export const supportedResources = [
  'the ARN of a Lambda function',
  ...Object.keys(services).map((name) => `arn:aws:states:::${name}`),
  'arn:aws:states:::aws-sdk:service:action',
];

/** Null where the resource is none that this interpreter knows. */
export function readTaskResource(arn: string): TaskResource | null {
  if (functionArn.test(arn)) {
    return {
      arn,
      kind: 'function',
      pattern: 'request',
      resourceType: 'lambda',
      resource: arn,
      parsesJob: false,
      argumentNames: null,
      requiredArguments: [],
    };
  }
  const sdk = sdkArn.exec(arn);
  if (sdk !== null) {
    const [, resourceType = '', action = '', token = ''] = sdk;
    return {
      arn,
      kind: 'service',
      pattern: token === '' ? 'request' : 'token',
      resourceType,
      resource: `${action}${token}`,
      parsesJob: false,
      argumentNames: null,
      requiredArguments: [],
    };
  }
  const [, resourceType = '', resource = ''] = serviceArn.exec(arn) ?? [];
  const service = services[`${resourceType}:${resource}`];
  return service === undefined ? null : { arn, kind: 'service', resourceType, resource, ...service };
}
