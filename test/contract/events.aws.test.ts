import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { EventBridgeEvents } from '../../adapters/aws/events';
import type { JsonObject } from '../../core/json';
import { startMoto, type Moto } from '../support/moto';
import { MotoQueue } from '../support/moto-queue';
import { describeEventsContract } from './events';

let moto: Moto;
let client: EventBridgeClient;

beforeAll(async () => {
  moto = await startMoto();
  client = new EventBridgeClient(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeEventsContract(
  'EventBridge',
  async () => {
    const EventBusName = 'rejoin';
    const queue = await MotoQueue.make(moto, 'arrived');
    await client.send(new CreateEventBusCommand({ Name: EventBusName }));
    await client.send(
      new PutRuleCommand({ Name: 'ours', EventBusName, EventPattern: JSON.stringify({ source: ['rejoin'] }) }),
    );
    await client.send(
      new PutTargetsCommand({ Rule: 'ours', EventBusName, Targets: [{ Id: 'queue', Arn: queue.arn }] }),
    );
    return {
      events: new EventBridgeEvents(client, EventBusName),
      arrived: async () => (await queue.bodies()).map((body) => JSON.parse(body) as JsonObject),
      close: async () => moto.reset(),
    };
  },
  ['account'],
);
