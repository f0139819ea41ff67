import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CreateEventBusCommand, EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateStateMachineCommand, SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { connectionSource } from '../../adapters/aws/connection-source';
import { EventBridgeEvents } from '../../adapters/aws/events';
import { StepFunctionsExecutions } from '../../adapters/aws/executions';
import { CloudWatchMetrics } from '../../adapters/aws/metrics';
import { TopicNotifications } from '../../adapters/aws/notifications';
import { ManagedSecrets } from '../../adapters/aws/secrets';
import { ParameterSettings } from '../../adapters/aws/settings';
import { systemClock } from '../../adapters/system-clock';
import { expectError } from '../contract/expect-error';
import { clusterSettings } from '../support/cluster-settings';
import { startMoto, type Moto } from '../support/moto';

let moto: Moto;

beforeAll(async () => {
  moto = await startMoto();
});
afterAll(async () => {
  await moto.close();
});

describe('settings', () => {
  let client: SSMClient;
  const put = (name: string, value: string) =>
    client.send(new PutParameterCommand({ Name: `/rejoin/clusters/${name}`, Value: value, Type: 'String' }));

  beforeAll(async () => {
    client = new SSMClient(moto.client);
    await put('orders', JSON.stringify(clusterSettings()));
    await put('broken', JSON.stringify({ ...clusterSettings(), layout: 'round' }));
  });
  const settings = (): ParameterSettings => new ParameterSettings(client, '/rejoin/clusters', systemClock);

  test('are those of the cluster, with its name', async () => {
    expect(await settings().cluster('orders')).toEqual(clusterSettings());
  });

  test('of a cluster that is not there name those that are', async () => {
    await expectError(settings().cluster('order'), 'NotFound', "'order'", 'clusters: broken, orders');
  });

  test('that do not fit are an error that names the field', async () => {
    await expectError(settings().cluster('broken'), 'InvalidSettings', '/rejoin/clusters/broken', 'layout');
  });
});

describe('secrets', () => {
  const certificate = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----';
  let secrets: ManagedSecrets;

  beforeAll(async () => {
    const client = new SecretsManagerClient(moto.client);
    secrets = new ManagedSecrets(client, systemClock);
    for (const [Name, value] of Object.entries({
      'orders/administrator': JSON.stringify({ username: 'dba', password: 'hush', engine: 'postgres' }),
      'ledger/administrator': JSON.stringify({ username: 'dba', password: 'hush', ca: certificate }),
      'no-password': JSON.stringify({ username: 'somebody-special' }),
      'no-json': 'hush-hush',
    })) {
      await client.send(new CreateSecretCommand({ Name, SecretString: value }));
    }
  });

  test('give credentials and nothing else', async () => {
    expect(await secrets.credentials('orders/administrator')).toEqual({ username: 'dba', password: 'hush' });
  });

  test('that are not there are named', async () => {
    await expectError(secrets.credentials('nothing'), 'NotFound', "'nothing'");
  });

  test.each([
    ['no-password', 'password', 'somebody-special'],
    ['no-json', 'the whole', 'hush-hush'],
  ])('that do not fit, such as %s, are described without what is in them', async (name, wrong, content) => {
    const message = await expectError(secrets.credentials(name), 'InvalidSettings', name, `wrong: ${wrong}`);
    expect(message).not.toContain(content);
  });

  test('may have a certificate authority; else the public ones count', async () => {
    const source = connectionSource(
      { cluster: (name) => Promise.resolve(clusterSettings({ name })) },
      secrets,
      '/nowhere',
    );
    expect(await source.certificateAuthority('ledger')).toBe(certificate);
    expect(await source.certificateAuthority('orders')).toContain('-----BEGIN CERTIFICATE-----');
    expect(await source.credentials('orders')).toEqual({ username: 'dba', password: 'hush' });
  });
});

test('events reach the bus', async () => {
  const client = new EventBridgeClient(moto.client);
  await client.send(new CreateEventBusCommand({ Name: 'rejoin' }));
  const event = { type: 'NodeSilent', cluster: 'orders', detail: { nodeId: 'node-3' } } as const;
  await expect(new EventBridgeEvents(client, 'rejoin').publish(event)).resolves.toBeUndefined();
});

test('notifications reach the topic; a topic that is not there is an error', async () => {
  const client = new SNSClient(moto.client);
  const { TopicArn = '' } = await client.send(new CreateTopicCommand({ Name: 'rejoin' }));
  const message = { subject: 'Ünusual\nsubject', body: 'größer' };
  await new TopicNotifications(client, TopicArn).publish(message);
  await expectError(new TopicNotifications(client, `${TopicArn}-not`).publish(message), 'ApiRefused', 'rejoin-not');
});

test('metrics: the newest of the same name and dimensions within the time', async () => {
  const client = new CloudWatchClient(moto.client);
  let nowMs = Date.now() - 5_000;
  const metrics = new CloudWatchMetrics(client, { ...systemClock, nowMs: () => nowMs });
  const dimensions = { Cluster: 'orders', Node: 'node-1' };
  const put = (value: number, of = dimensions) =>
    metrics.publish([{ name: 'Lag', unit: 'Bytes', value, dimensions: of }]);
  expect(await metrics.newest('Lag', dimensions, 60)).toBeNull();
  await put(7);
  nowMs += 2_000;
  await put(5);
  await put(9, { ...dimensions, Node: 'node-2' });
  expect(await metrics.newest('Lag', dimensions, 60)).toBe(5);
  nowMs += 3_600_000;
  expect(await metrics.newest('Lag', dimensions, 60)).toBeNull();
});

describe('executions', () => {
  let client: SFNClient;
  let executions: StepFunctionsExecutions;
  const prefix = 'arn:aws:states:eu-central-1:123456789012:stateMachine:rejoin-';

  beforeAll(async () => {
    client = new SFNClient(moto.client);
    executions = new StepFunctionsExecutions(client, prefix, systemClock);
    await client.send(
      new CreateStateMachineCommand({
        name: 'rejoin-node-recovery',
        roleArn: 'arn:aws:iam::123456789012:role/rejoin',
        definition: JSON.stringify({ StartAt: 'End', States: { End: { Type: 'Succeed' } } }),
      }),
    );
  });
  const order = { machine: 'node-recovery', name: 'orders-node-3-alarm', input: { cluster: 'orders' } };

  test('start once for a name, run, and end', async () => {
    expect(await executions.describe(order.machine, order.name)).toBeNull();
    const { arn, started } = await executions.start(order);
    expect(started).toBe(true);
    expect(arn).toBe(`${prefix.replace('stateMachine', 'execution')}node-recovery:${order.name}`);
    expect(await executions.start({ ...order, input: { cluster: 'other' } })).toEqual({ arn, started: false });
    expect(await executions.running(order.machine)).toEqual([order.name]);
    expect(await executions.describe(order.machine, order.name)).toMatchObject({
      arn,
      status: 'running',
      endedAtMs: null,
      output: null,
    });
    await client.send(new StopExecutionCommand({ executionArn: arn }));
    const ended = await executions.describe(order.machine, order.name);
    expect(ended?.status).toBe('aborted');
    expect(ended?.endedAtMs).toBeGreaterThanOrEqual(ended?.startedAtMs ?? Infinity);
    expect(await executions.running(order.machine)).toEqual([]);
  });

  test('tell which states they visited', async () => {
    await executions.start({ ...order, name: 'visited' });
    expect(await executions.visits(order.machine, 'visited')).toEqual([
      { state: 'A State', enteredAtMs: Date.UTC(2020, 0, 1, 0, 0, 10), exitedAtMs: Date.UTC(2020, 0, 1, 0, 0, 10) },
    ]);
  });

  test('of a machine or a name that there is not are errors', async () => {
    await expectError(executions.start({ ...order, machine: 'nothing' }), 'NotFound', "'nothing'");
    await expectError(executions.visits(order.machine, 'nobody'), 'NotFound', "'nobody'");
  });
});
