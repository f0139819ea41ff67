import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchMetrics } from '../../adapters/aws/metrics';
import { systemClock } from '../../adapters/system-clock';
import { startMoto, type Moto } from '../support/moto';
import { describeMetricsContract } from './metrics';

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

describeMetricsContract(
  'CloudWatch',
  async () => ({ metrics: new CloudWatchMetrics(client, systemClock), close: async () => moto.reset() }),
  ['exact dimensions'],
);
