import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  ListTagsForResourceCommand,
  type MetricAlarm,
} from '@aws-sdk/client-cloudwatch';
import { CloudWatchStatusAlarms } from '../../adapters/aws/status-alarms';
import { startMoto, type Moto } from '../support/moto';
import { describeStatusAlarmsContract } from './status-alarms';

let moto: Moto;
let client: CloudWatchClient;

beforeAll(async () => {
  moto = await startMoto();
  client = new CloudWatchClient(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

async function all(): Promise<readonly MetricAlarm[]> {
  return (await client.send(new DescribeAlarmsCommand({}))).MetricAlarms ?? [];
}

describeStatusAlarmsContract('CloudWatch', async () => ({
  alarms: new CloudWatchStatusAlarms(client),
  names: async () => (await all()).map(({ AlarmName }) => AlarmName ?? ''),
  close: async () => moto.reset(),
}));

test("an alarm on EC2's checks of that instance, with the cluster's tags and no action of its own", async () => {
  const machine = { cluster: 'orders', nodeId: 'node-3-r1', machineId: 'i-0123456789abcdef0' };
  await new CloudWatchStatusAlarms(client).put(machine);
  const [alarm] = await all();
  expect(alarm).toMatchObject({
    Namespace: 'AWS/EC2',
    MetricName: 'StatusCheckFailed',
    Dimensions: [{ Name: 'InstanceId', Value: 'i-0123456789abcdef0' }],
    Statistic: 'Maximum',
    Period: 60,
    EvaluationPeriods: 2,
    Threshold: 1,
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    TreatMissingData: 'notBreaching',
  });
  expect(alarm?.AlarmActions ?? []).toEqual([]);
  const { Tags } = await client.send(new ListTagsForResourceCommand({ ResourceARN: alarm?.AlarmArn ?? '' }));
  expect(Tags).toEqual([
    { Key: 'rejoin:cluster', Value: 'orders' },
    { Key: 'rejoin:node', Value: 'node-3-r1' },
  ]);
});
