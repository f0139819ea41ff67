import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { subjectLine } from '../../core/notifications/subject-line';
import type { Notifications } from '../../core/ports/surroundings';
import { ask } from './api-error';

/** SNS takes 256 KiB; a message that long is read by nobody. */
const longestBody = 100_000;

/** One SNS topic. */
export class TopicNotifications implements Notifications {
  constructor(
    private readonly client: SNSClient,
    private readonly topicArn: string,
  ) {}

  async publish(message: { readonly subject: string; readonly body: string }): Promise<void> {
    const subject = subjectLine(message.subject);
    await ask(
      `publish '${subject}' to ${this.topicArn}`,
      this.client.send(
        new PublishCommand({
          TopicArn: this.topicArn,
          Subject: subject,
          Message: message.body.slice(0, longestBody),
        }),
      ),
    );
  }
}
