import type { PermissionList } from '../../core/permissions/permission';
import { arnOf, clusterTag } from '../../core/permissions/permission';

export const hostCommandsSend: PermissionList = [
  {
    sid: 'SendPreparedCommands',
    actions: ['ssm:SendCommand'],
    resources: (names) =>
      ['stop-database', 'start-database', 'restore-volume'].map((name) =>
        arnOf(names, 'ssm', `document/rejoin-${name}`),
      ),
  },
  {
    sid: 'SendCommandsToMachines',
    actions: ['ssm:SendCommand'],
    resources: (names) => [arnOf(names, 'ec2', 'instance/*')],
    conditions: (names) => ({ StringEquals: { [`ssm:resourceTag/${clusterTag}`]: names.clusters } }),
    wildcardReason: 'replacements get their ids at launch; the tag rejoin:cluster is the bound',
  },
];

export const hostCommandsResult: PermissionList = [
  {
    sid: 'ReadCommandResults',
    actions: ['ssm:GetCommandInvocation'],
    resources: () => ['*'],
    wildcardReason: 'Systems Manager knows no resource for reading the result of a command',
  },
];
