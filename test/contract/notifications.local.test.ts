import { systemClock } from '../../adapters/system-clock';
import { LocalNotifications } from '../../local/control/local-notifications';
import { describeNotificationsContract } from './notifications';

describeNotificationsContract('kept', async () => {
  const notifications = new LocalNotifications(systemClock, null);
  return { notifications, sent: async () => notifications.sent, close: async () => undefined };
});
