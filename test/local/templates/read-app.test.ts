import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Duration, Fn, Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, EventField, Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { Code, Function as Lambda, Runtime, type CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { DefinitionBody, Pass, QueryLanguage, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { DeployedApp } from '../../../local/templates/deployed-app';
import { readApp } from '../../../local/templates/read-app';
import { targetInput } from '../../../local/templates/target-input';

const account = '123456789012';
const region = 'eu-central-1';

interface Template {
  Parameters?: Record<string, unknown>;
  Resources: Record<string, unknown>;
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rejoin-assembly-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function lambda(scope: Stack, id: string, environment: Record<string, string> = {}): Lambda {
  const made = new Lambda(scope, id, {
    runtime: Runtime.NODEJS_22_X,
    handler: 'index.handler',
    code: Code.fromInline('//'),
    environment,
    timeout: Duration.seconds(19),
    memorySize: 512,
  });
  (made.node.defaultChild as CfnFunction).addMetadata('rejoin:entry', 'node-recovery/confirm-failure');
  return made;
}

/** Two stacks, the second of which uses what the first exports. */
function synthesize(more: (stacks: { first: Stack; second: Stack; greet: Lambda }) => void = () => undefined): App {
  const app = new App({ outdir: folder });
  const first = new Stack(app, 'Foundation');
  const table = new Table(first, 'Registry', { partitionKey: { name: 'pk', type: AttributeType.STRING } });
  const bucket = new Bucket(first, 'Backups');
  const bus = new EventBus(first, 'Bus', { eventBusName: 'rejoin' });
  const second = new Stack(app, 'Recovery');
  const greet = lambda(second, 'Greet', {
    TABLE: table.tableName,
    BUCKET: bucket.bucketName,
    BUS: bus.eventBusArn,
    STACK: second.stackName,
    ARN: second.formatArn({ service: 'states', resource: 'stateMachine', resourceName: 'rejoin-x' }),
    SUB: Fn.sub('${AWS::Region}/${own}/${!literal}', { own: bucket.bucketName }),
    LAST: Fn.select(1, Fn.split('/', bus.eventBusArn)),
  });
  new StateMachine(second, 'Machine', {
    stateMachineName: 'rejoin-greeting',
    queryLanguage: QueryLanguage.JSONATA,
    definitionBody: DefinitionBody.fromChainable(
      LambdaInvoke.jsonata(second, 'Greet somebody', { lambdaFunction: greet }).next(Pass.jsonata(second, 'Done')),
    ),
  });
  more({ first, second, greet });
  app.synth();
  return app;
}

async function read(more?: Parameters<typeof synthesize>[0]): Promise<DeployedApp> {
  synthesize(more);
  return readApp(folder);
}

test('a function has its entry, its limits, and an environment without placeholders', async () => {
  const { functions, buckets } = await read();
  expect(buckets).toHaveLength(1);
  const [greet] = functions;
  expect(greet).toMatchObject({
    name: expect.stringMatching(/^Recovery-Greet[0-9A-F]{8}$/) as string,
    arn: `arn:aws:lambda:${region}:${account}:function:${greet?.name ?? ''}`,
    entryFile: 'lambdas/node-recovery/confirm-failure.ts',
    timeoutMs: 19_000,
    memoryMiB: 512,
  });
  expect(greet?.environment).toEqual({
    TABLE: expect.stringMatching(/^Foundation-Registry/) as string,
    BUCKET: buckets[0],
    BUS: `arn:aws:events:${region}:${account}:event-bus/rejoin`,
    STACK: 'Recovery',
    ARN: `arn:aws:states:${region}:${account}:stateMachine/rejoin-x`,
    SUB: `${region}/${buckets[0] ?? ''}/\${literal}`,
    LAST: 'rejoin',
  });
  expect(buckets[0]).toMatch(/^[a-z0-9-]{3,63}$/);
});

test('a state machine has its definition as the service gets it', async () => {
  const { machines, functions } = await read(({ second }) => {
    new StateMachine(second, 'Substituted', {
      stateMachineType: StateMachineType.EXPRESS,
      definitionBody: DefinitionBody.fromString(
        '{"StartAt":"A","States":{"A":{"Type":"Pass","Comment":"${what}","End":true}}}',
      ),
      definitionSubstitutions: { what: 'say "hello"' },
    });
  });
  expect(machines[0]).toMatchObject({
    name: 'rejoin-greeting',
    arn: `arn:aws:states:${region}:${account}:stateMachine:rejoin-greeting`,
    type: 'STANDARD',
  });
  expect(machines[0]?.definition['States']).toMatchObject({
    'Greet somebody': {
      Resource: 'arn:aws:states:::lambda:invoke',
      Arguments: { FunctionName: functions[0]?.arn },
    },
  });
  expect(machines[1]).toMatchObject({ type: 'EXPRESS' });
  expect(machines[1]?.definition['States']).toEqual({ A: { Type: 'Pass', Comment: 'say "hello"', End: true } });
});

test('a rule has its bus, its pattern and its targets with their inputs', async () => {
  const { rules, functions, machines } = await read(({ first, second, greet }) => {
    const bus = EventBus.fromEventBusArn(
      second,
      'ByName',
      first.resolve('arn:aws:events:eu-central-1:1:event-bus/rejoin') as string,
    );
    const machine = StateMachine.fromStateMachineName(second, 'MachineByName', 'rejoin-greeting');
    new Rule(second, 'Promoted', {
      eventBus: bus,
      eventPattern: { source: ['rejoin'], detailType: ['ShardsPromoted'] },
      targets: [
        new LambdaFunction(greet),
        new LambdaFunction(greet, { event: RuleTargetInput.fromEventPath('$.detail') }),
        new SfnStateMachine(machine, {
          input: RuleTargetInput.fromObject({
            who: EventField.fromPath('$.detail.who'),
            text: `by ${EventField.source}`,
          }),
        }),
      ],
    });
    new Rule(second, 'Nightly', {
      description: 'Starts full-backup for cluster orders',
      schedule: Schedule.expression('cron(0 2 ? * SUN *)'),
      targets: [new LambdaFunction(greet, { event: RuleTargetInput.fromObject({ trigger: 'schedule', deep: [1] }) })],
    });
  });
  const [promoted, nightly] = rules;
  expect(promoted).toMatchObject({ bus: 'rejoin', enabled: true, schedule: null });
  expect(promoted?.targets.map(({ arn }) => arn)).toEqual([functions[0]?.arn, functions[0]?.arn, machines[0]?.arn]);
  const event = { source: 'rejoin', 'detail-type': 'ShardsPromoted', detail: { who: 'node "3"' } };
  const inputs = promoted?.targets.map(({ input }) => targetInput(input, event, promoted));
  expect(inputs).toEqual([event, { who: 'node "3"' }, { who: 'node "3"', text: 'by rejoin' }]);
  expect(promoted?.pattern?.matches(event)).toBe(true);
  expect(promoted?.pattern?.matches({ ...event, source: 'aws.ec2' })).toBe(false);

  expect(nightly).toMatchObject({
    bus: 'default',
    pattern: null,
    schedule: 'cron(0 2 ? * SUN *)',
    description: 'Starts full-backup for cluster orders',
    targets: [{ input: { kind: 'constant', value: { trigger: 'schedule', deep: [1] } } }],
  });
});

test('an alarm is read whole', async () => {
  const { alarms } = await read(({ first }) => {
    new Alarm(first, 'Heartbeat', {
      alarmName: 'rejoin/heartbeat/orders/node-3',
      metric: new Metric({
        namespace: 'Rejoin',
        metricName: 'Heartbeat',
        dimensionsMap: { Cluster: 'orders', Node: 'node-3' },
        statistic: 'SampleCount',
        period: Duration.seconds(10),
      }),
      threshold: 1,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: 3,
      datapointsToAlarm: 2,
      treatMissingData: TreatMissingData.BREACHING,
    });
  });
  expect(alarms).toEqual([
    {
      name: 'rejoin/heartbeat/orders/node-3',
      arn: `arn:aws:cloudwatch:${region}:${account}:alarm:rejoin/heartbeat/orders/node-3`,
      description: null,
      namespace: 'Rejoin',
      metricName: 'Heartbeat',
      dimensions: { Cluster: 'orders', Node: 'node-3' },
      statistic: 'SampleCount',
      periodSeconds: 10,
      evaluationPeriods: 3,
      datapointsToAlarm: 2,
      threshold: 1,
      comparison: 'LessThanThreshold',
      missingData: 'breaching',
      alarmActions: [],
    },
  ]);
});

describe('what can not be run here is refused, naming stack and resource', () => {
  /** Changes what was synthesized: the CDK itself refuses most of this. */
  function change(stack: string, edit: (template: Template) => void): void {
    const file = join(folder, `${stack}.template.json`);
    const template = JSON.parse(readFileSync(file, 'utf8')) as Template;
    edit(template);
    writeFileSync(file, JSON.stringify(template));
  }

  beforeEach(() => {
    synthesize();
  });

  test.each([
    ['an unknown intrinsic', { 'Fn::GetAZs': '' }, 'Fn::GetAZs'],
    ['a reference to nothing', { Ref: 'Nowhere' }, 'Nowhere'],
    ['a parameter without a value', { Ref: 'Asked' }, 'Asked'],
    ['an attribute of nothing', { 'Fn::GetAtt': ['Nowhere', 'Arn'] }, 'Nowhere'],
    ['an unknown type', { 'Fn::GetAtt': ['Odd', 'Endpoint'] }, 'AWS::Odd::Thing'],
    ['an unknown attribute', { 'Fn::GetAtt': ['Queue', 'Endpoint'] }, 'Endpoint'],
    ['an import that nobody exports', { 'Fn::ImportValue': 'Foundation:Nothing' }, 'Foundation:Nothing'],
    ['a selection beyond the end', { 'Fn::Select': [7, { 'Fn::Split': ['/', 'a/b'] }] }, 'Fn::Select'],
    ['a wrong use', { 'Fn::Join': ['-'] }, 'Fn::Join'],
    ['a list where text is needed', { 'Fn::Sub': ['${a}', { a: ['b'] }] }, 'Fn::Sub'],
  ])('%s', async (_what, value, words) => {
    change('Recovery', (template) => {
      template.Parameters = { ...template.Parameters, Asked: { Type: 'String' } };
      template.Resources['Odd'] = { Type: 'AWS::Odd::Thing' };
      template.Resources['Queue'] = { Type: 'AWS::SQS::Queue' };
      template.Resources['Function'] = {
        Type: 'AWS::Lambda::Function',
        Properties: { Environment: { Variables: { ODD: value } } },
        Metadata: { 'rejoin:entry': 'x/y' },
      };
    });
    await expect(readApp(folder)).rejects.toMatchObject({
      name: 'InvalidInput',
      message: expect.stringMatching(new RegExp(`resource '(Function|Odd)' of stack 'Recovery'.*${words}`)) as string,
    });
  });

  test('a pattern with an operator that is not known', async () => {
    change('Recovery', ({ Resources }) => {
      Resources['Odd'] = {
        Type: 'AWS::Events::Rule',
        Properties: { EventPattern: { detail: { size: [{ numeric: ['>', 5] }] } } },
      };
    });
    await expect(readApp(folder)).rejects.toMatchObject({
      name: 'InvalidInput',
      message: expect.stringMatching(/Recovery-Odd.*numeric/) as string,
    });
  });

  test('an alarm on something else than one metric', async () => {
    change('Foundation', ({ Resources }) => {
      Resources['Odd'] = {
        Type: 'AWS::CloudWatch::Alarm',
        Properties: { Metrics: [], EvaluationPeriods: 1, ComparisonOperator: 'LessThanThreshold' },
      };
    });
    await expect(readApp(folder)).rejects.toMatchObject({
      message: expect.stringContaining("'Odd' of stack 'Foundation'") as string,
    });
  });

  test('a definition that is no JSON', async () => {
    change('Recovery', ({ Resources }) => {
      Resources['Odd'] = { Type: 'AWS::StepFunctions::StateMachine', Properties: { DefinitionString: '{' } };
    });
    await expect(readApp(folder)).rejects.toMatchObject({
      message: expect.stringContaining("'Odd' of stack 'Recovery'") as string,
    });
  });

  test('no synthesized app at all', async () => {
    await expect(readApp(join(folder, 'none'))).rejects.toMatchObject({
      name: 'NotFound',
      message: expect.stringContaining('cdk synth') as string,
    });
    writeFileSync(join(folder, 'manifest.json'), '{"artifacts": 5}');
    await expect(readApp(folder)).rejects.toMatchObject({ name: 'InvalidInput' });
  });
});
