import type { PermissionList } from '../../core/permissions/permission';
import { arnOf } from '../../core/permissions/permission';

/** Where the clusters' settings are: `<prefix>/<cluster>`. */
export const settingsPrefix = '/rejoin/clusters';

export const settingsRead: PermissionList = [
  {
    sid: 'ReadSettings',
    actions: ['ssm:GetParameter'],
    resources: (names) => names.settingsParameterArns,
  },
  {
    // A cluster that is not there is answered with the list of those that are.
    sid: 'ListSettings',
    actions: ['ssm:GetParametersByPath'],
    resources: (names) => [arnOf(names, 'ssm', `parameter${settingsPrefix}`)],
  },
];
