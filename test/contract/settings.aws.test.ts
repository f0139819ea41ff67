import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { ParameterSettings } from '../../adapters/aws/settings';
import { systemClock } from '../../adapters/system-clock';
import { startMoto, type Moto } from '../support/moto';
import { describeSettingsContract } from './settings';

let moto: Moto;
let client: SSMClient;
let prefixes = 0;

beforeAll(async () => {
  moto = await startMoto();
  client = new SSMClient(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeSettingsContract('Systems Manager', async () => {
  prefixes += 1;
  const prefix = `/rejoin-${prefixes}/clusters`;
  return {
    settings: new ParameterSettings(client, prefix, systemClock),
    put: async (cluster, text) => {
      await client.send(new PutParameterCommand({ Name: `${prefix}/${cluster}`, Value: text, Type: 'String' }));
    },
    close: async () => undefined,
  };
});
