import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ManagedSecrets } from '../../adapters/aws/secrets';
import { systemClock } from '../../adapters/system-clock';
import { startMoto, type Moto } from '../support/moto';
import { describeSecretsContract } from './secrets';

let moto: Moto;
let client: SecretsManagerClient;

beforeAll(async () => {
  moto = await startMoto();
  client = new SecretsManagerClient(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeSecretsContract('Secrets Manager', async () => ({
  secrets: new ManagedSecrets(client, systemClock),
  put: async (secretName, text) => {
    await client.send(new CreateSecretCommand({ Name: secretName, SecretString: text }));
  },
  close: async () => moto.reset(),
}));
