import { statusAlarmPrefix } from '../../core/alarms/alarm-names';
import { arnOf, type PermissionList, type ResourceNames, taggingAsOurs } from '../../core/permissions/permission';

/** Alarms whose names end with an instance: those that are deployed don't, so nobody changes them. */
function alarmsOfReplacements(names: ResourceNames): readonly string[] {
  return names.clusters.map((cluster) => arnOf(names, 'cloudwatch', `alarm:${statusAlarmPrefix}${cluster}/*/i-*`));
}

const namedAtLaunch =
  'replacements and their instances get their ids at launch; cluster and form of the name are the bound';

export const statusAlarmsPut: PermissionList = [
  {
    sid: 'WatchReplacements',
    actions: ['cloudwatch:PutMetricAlarm', 'cloudwatch:TagResource'],
    resources: alarmsOfReplacements,
    conditions: taggingAsOurs,
    wildcardReason: namedAtLaunch,
  },
];

export const statusAlarmsRemove: PermissionList = [
  {
    sid: 'WatchReplacementsNoLonger',
    actions: ['cloudwatch:DeleteAlarms'],
    resources: alarmsOfReplacements,
    wildcardReason: namedAtLaunch,
  },
];
