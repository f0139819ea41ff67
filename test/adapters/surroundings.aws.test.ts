import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateStateMachineCommand, SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { connectionSource } from '../../adapters/aws/connection-source';
import { StepFunctionsExecutions } from '../../adapters/aws/executions';
import { TopicNotifications } from '../../adapters/aws/notifications';
import { OperatorExecutions } from '../../adapters/aws/operator-executions';
import { ManagedSecrets } from '../../adapters/aws/secrets';
import { systemClock } from '../../adapters/system-clock';
import { expectError } from '../contract/expect-error';
import { clusterSettings } from '../support/cluster-settings';
import { startMoto, type Moto } from '../support/moto';

/** What only AWS has, beside the contracts of test/contract. */
let moto: Moto;

beforeAll(async () => {
  moto = await startMoto();
});
afterAll(async () => {
  await moto.close();
});

test('a secret may have a certificate authority; else the public ones count', async () => {
  const certificate = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----';
  const client = new SecretsManagerClient(moto.client);
  for (const [Name, value] of Object.entries({
    'orders/administrator': { username: 'dba', password: 'hush', engine: 'postgres' },
    'ledger/administrator': { username: 'dba', password: 'hush', ca: certificate },
  })) {
    await client.send(new CreateSecretCommand({ Name, SecretString: JSON.stringify(value) }));
  }
  const source = connectionSource(
    { cluster: (name) => Promise.resolve(clusterSettings({ name })) },
    new ManagedSecrets(client, systemClock),
    '/nowhere/ca-cert.pem',
  );
  expect(await source.certificateAuthority('ledger')).toBe(certificate);
  expect(await source.certificateAuthority('orders')).toContain('-----BEGIN CERTIFICATE-----');
  expect(await source.credentials('orders')).toEqual({ username: 'dba', password: 'hush' });
});

test('a topic that is not there is an error', async () => {
  const client = new SNSClient(moto.client);
  const { TopicArn = '' } = await client.send(new CreateTopicCommand({ Name: 'rejoin' }));
  const notifications = new TopicNotifications(client, `${TopicArn}-not`);
  await expectError(notifications.publish({ subject: 'subject', body: 'body' }), 'ApiRefused', 'rejoin-not');
});

describe('executions', () => {
  const prefix = 'arn:aws:states:eu-central-1:123456789012:stateMachine:rejoin-';
  let client: SFNClient;

  beforeAll(async () => {
    client = new SFNClient(moto.client);
    await client.send(
      new CreateStateMachineCommand({
        name: 'rejoin-register-cluster',
        roleArn: 'arn:aws:iam::123456789012:role/rejoin',
        definition: JSON.stringify({ StartAt: 'End', States: { End: { Type: 'Succeed' } } }),
      }),
    );
  });

  test('that somebody stopped were aborted, and run no more', async () => {
    const executions = new StepFunctionsExecutions(client, prefix, systemClock);
    const { arn } = await executions.start({ machine: 'register-cluster', name: 'stopped', input: {} });
    await client.send(new StopExecutionCommand({ executionArn: arn }));
    const ended = await executions.describe('register-cluster', 'stopped');
    expect(ended?.status).toBe('aborted');
    expect(ended?.endedAtMs).toBeGreaterThanOrEqual(ended?.startedAtMs ?? Infinity);
    expect(await executions.running('register-cluster')).toEqual([]);
  });

  test('are started by an operator who knows the name of the workflow only', async () => {
    const operator = new OperatorExecutions(client);
    const arn = await operator.start('register-cluster', 'by-hand', { cluster: 'orders' });
    expect(arn).toBe(`${prefix.replace('stateMachine', 'execution')}register-cluster:by-hand`);
    expect(await operator.end(arn)).toMatchObject({ status: 'running' });
    await client.send(new StopExecutionCommand({ executionArn: arn, error: 'refused', cause: 'node-3 is silent' }));
    expect(await operator.end(arn)).toMatchObject({ status: 'failed' });
    await expectError(operator.start('nothing', 'x', {}), 'NotFound', "'rejoin-nothing'", 'npx cdk deploy --all');
  });
});
