import { subjectLine } from '../../core/notifications/subject-line';
import type { Clock } from '../../core/ports/clock';
import type { Notifications } from '../../core/ports/surroundings';
import type { RecordFile } from './record-file';

export interface SentNotification {
  readonly atMs: number;
  readonly subject: string;
  readonly body: string;
}

/** What people would have been sent, kept. */
export class LocalNotifications implements Notifications {
  readonly sent: SentNotification[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly record: RecordFile | null,
  ) {}

  async publish({ subject, body }: { readonly subject: string; readonly body: string }): Promise<void> {
    const notification = { atMs: this.clock.nowMs(), subject: subjectLine(subject), body };
    this.sent.push(notification);
    this.record?.add(notification);
  }
}
