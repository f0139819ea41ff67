import { CreateHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53';
import { Route53Dns } from '../../adapters/aws/dns';
import { startMoto, type Moto } from '../support/moto';
import { describeDnsContract } from './dns';

let moto: Moto;
let client: Route53Client;
let zones = 0;

beforeAll(async () => {
  moto = await startMoto();
  client = new Route53Client(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeDnsContract(
  'Route 53',
  async () => {
    zones += 1;
    const zone = `z${zones}.example.com`;
    const made = await client.send(new CreateHostedZoneCommand({ Name: zone, CallerReference: zone }));
    return {
      dns: new Route53Dns(client, (made.HostedZone?.Id ?? '').replace('/hostedzone/', '')),
      zone,
      close: () => Promise.resolve(),
    };
  },
  ['delete needs exact values', 'create fails if it exists', 'all or none', 'alias stands alone'],
);
