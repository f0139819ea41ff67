import type { Notifications } from '../../core/ports/surroundings';
import { eventually } from './gaps';

export interface NotificationsSubject {
  readonly notifications: Notifications;
  /** What has been sent, oldest first. */
  sent(): Promise<readonly { readonly subject: string; readonly body: string }[]>;
  close(): Promise<void>;
}

/** What every `Notifications` does, whoever gets them. */
export function describeNotificationsContract(name: string, makeSubject: () => Promise<NotificationsSubject>): void {
  describe(`Notifications: ${name}`, () => {
    let subject: NotificationsSubject;

    beforeEach(async () => {
      subject = await makeSubject();
    });
    afterEach(async () => {
      await subject.close();
    });

    const sent = async (messages: number): ReturnType<NotificationsSubject['sent']> =>
      eventually(
        async () => subject.sent(),
        (all) => all.length >= messages,
      );

    test('sends subject and body', async () => {
      const body = 'node-3 of orders was replaced\n\nsee the evidence: größe 😀';
      await subject.notifications.publish({ subject: 'orders: recovered', body });
      expect(await sent(1)).toMatchObject([{ subject: 'orders: recovered', body }]);
    });

    test.each([
      ['longer than 100 characters', 'x'.repeat(101), `${'x'.repeat(97)}...`],
      ['of exactly 100 characters', 'x'.repeat(100), 'x'.repeat(100)],
      ['of several lines', 'orders:\n  refused\t(2)', 'orders: refused (2)'],
      ['with other than ASCII characters', 'größe', 'gr??e'],
    ])('sends a subject %s as one line that people get', async (_what, subjectGiven, expected) => {
      await subject.notifications.publish({ subject: subjectGiven, body: 'b' });
      const [message] = await sent(1);
      expect(message?.subject).toBe(expected);
    });
  });
}
