import { SSMClient } from '@aws-sdk/client-ssm';
import { DocumentCommands } from '../../adapters/aws/host-commands';
import { systemClock } from '../../adapters/system-clock';
import { startMoto, type Moto } from '../support/moto';
import { describeHostCommandsContract } from './host-commands';

let moto: Moto;
let client: SSMClient;

beforeAll(async () => {
  moto = await startMoto();
  client = new SSMClient(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeHostCommandsContract(
  'Systems Manager',
  () =>
    Promise.resolve({
      commands: new DocumentCommands(client, systemClock),
      machineId: 'i-00000000000000001',
      close: () => Promise.resolve(),
    }),
  ['machine check'],
);
