import type { PermissionList } from '../../core/permissions/permission';
import { throughService } from '../../core/permissions/permission';

export const notificationsPublish: PermissionList = [
  { sid: 'Notify', actions: ['sns:Publish'], resources: (names) => [names.topicArn] },
  {
    sid: 'EncryptNotifications',
    actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
    resources: (names) => [names.keyArn],
    conditions: throughService('sns'),
  },
];
