import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { TopicNotifications } from '../../adapters/aws/notifications';
import { startMoto, type Moto } from '../support/moto';
import { MotoQueue } from '../support/moto-queue';
import { describeNotificationsContract } from './notifications';

let moto: Moto;
let client: SNSClient;

beforeAll(async () => {
  moto = await startMoto();
  client = new SNSClient(moto.client);
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeNotificationsContract('SNS', async () => {
  const queue = await MotoQueue.make(moto, 'people');
  const { TopicArn = '' } = await client.send(new CreateTopicCommand({ Name: 'rejoin' }));
  await client.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: queue.arn }));
  return {
    notifications: new TopicNotifications(client, TopicArn),
    sent: async () =>
      (await queue.bodies()).map((body) => {
        const { Subject: subject, Message: text } = JSON.parse(body) as { Subject: string; Message: string };
        return { subject, body: text };
      }),
    close: async () => moto.reset(),
  };
});
