import type { PermissionList } from '../../core/permissions/permission';
import { arnOf, clusterTag } from '../../core/permissions/permission';

const hostCommands = ['stop-database', 'start-database', 'restore-volume'] as const;
export type HostCommand = (typeof hostCommands)[number];

/** The document of Systems Manager that is a command. */
export function hostDocumentName(command: HostCommand): string {
  return `rejoin-${command}`;
}

export const hostCommandsSend: PermissionList = [
  {
    sid: 'SendPreparedCommands',
    actions: ['ssm:SendCommand'],
    resources: (names) => hostCommands.map((command) => arnOf(names, 'ssm', `document/${hostDocumentName(command)}`)),
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
