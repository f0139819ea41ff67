import type { PermissionList } from '../../core/permissions/permission';

export const eventsPublish: PermissionList = [
  { sid: 'PublishEvents', actions: ['events:PutEvents'], resources: (names) => [names.eventBusArn] },
];
