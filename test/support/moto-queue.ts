import type { Moto } from './moto';

/** A queue of a `moto_server`: what topics and event buses deliver to. Rejoin itself uses no queues. */
export class MotoQueue {
  private readonly received: string[] = [];

  private constructor(
    private readonly moto: Moto,
    private readonly url: string,
    readonly arn: string,
  ) {}

  static async make(moto: Moto, name: string): Promise<MotoQueue> {
    const { QueueUrl: url } = (await call(moto, 'CreateQueue', { QueueName: name })) as { QueueUrl: string };
    return new MotoQueue(moto, url, `arn:aws:sqs:${moto.client.region}:123456789012:${name}`);
  }

  /** The bodies of all messages so far, oldest first. */
  async bodies(): Promise<readonly string[]> {
    for (;;) {
      const order = { QueueUrl: this.url, MaxNumberOfMessages: 10, VisibilityTimeout: 3_600 };
      const { Messages: messages = [] } = (await call(this.moto, 'ReceiveMessage', order)) as {
        Messages?: { Body: string }[];
      };
      if (messages.length === 0) {
        return this.received;
      }
      this.received.push(...messages.map(({ Body: body }) => body));
    }
  }
}

async function call(moto: Moto, action: string, input: object): Promise<unknown> {
  const answer = await fetch(moto.url, {
    method: 'POST',
    headers: {
      'X-Amz-Target': `AmazonSQS.${action}`,
      'Content-Type': 'application/x-amz-json-1.0',
      // moto reads service and Region from it, and checks no signature.
      Authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${moto.client.region}/sqs/aws4_request, SignedHeaders=host, Signature=none`,
    },
    body: JSON.stringify(input),
  });
  if (!answer.ok) {
    throw new Error(`moto's queue answered ${answer.status}: ${await answer.text()}`);
  }
  return answer.json();
}
