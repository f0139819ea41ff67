import type { PermissionList } from '../../core/permissions/permission';
import { arnOf, taggedAsOurs, taggingAsOurs } from '../../core/permissions/permission';
import { settingsRead } from './settings.permissions';

const tagIsTheBound = 'replacements get their ids at launch; the tag rejoin:cluster is the bound';

export const machinesObserve: PermissionList = [
  {
    sid: 'ObserveMachines',
    actions: ['ec2:DescribeInstances', 'ec2:DescribeInstanceStatus', 'ec2:DescribeSnapshots'],
    resources: () => ['*'],
    wildcardReason: 'EC2 knows no resource for describing',
  },
];

/** A machine fence: stop it. */
export const machinesStop: PermissionList = [
  {
    sid: 'StopMachines',
    actions: ['ec2:StopInstances'],
    resources: (names) => [arnOf(names, 'ec2', 'instance/*')],
    conditions: taggedAsOurs,
    wildcardReason: tagIsTheBound,
  },
];

/** A machine fence: cut it off the network. Into a quarantine group, and into no other. */
export const machinesQuarantine: PermissionList = [
  {
    sid: 'QuarantineMachines',
    actions: ['ec2:ModifyInstanceAttribute'],
    resources: (names) => [arnOf(names, 'ec2', 'instance/*')],
    conditions: taggedAsOurs,
    wildcardReason: tagIsTheBound,
  },
  {
    sid: 'UseQuarantineGroups',
    actions: ['ec2:ModifyInstanceAttribute'],
    resources: (names) => names.quarantineGroupArns,
  },
];

export const machinesLaunch: PermissionList = [
  ...settingsRead,
  {
    sid: 'LaunchMachines',
    actions: ['ec2:RunInstances'],
    resources: (names) => [arnOf(names, 'ec2', 'instance/*'), arnOf(names, 'ec2', 'volume/*')],
    conditions: taggingAsOurs,
    wildcardReason: 'machine and volumes get their ids at launch; they must be tagged rejoin:cluster',
  },
  {
    sid: 'LaunchFromTemplates',
    actions: ['ec2:RunInstances'],
    resources: (names) => [...names.launchTemplateArns, ...names.subnetArns],
  },
  {
    sid: 'LaunchWithPartsOfTemplates',
    actions: ['ec2:RunInstances'],
    resources: (names) => [
      arnOf(names, 'ec2', 'network-interface/*'),
      arnOf(names, 'ec2', 'security-group/*'),
      arnOf(names, 'ec2', 'key-pair/*'),
      `arn:${names.partition}:ec2:${names.region}::image/*`,
      `arn:${names.partition}:ec2:${names.region}::snapshot/*`,
    ],
    conditions: (names) => ({ ArnEquals: { 'ec2:LaunchTemplate': names.launchTemplateArns } }),
    wildcardReason: 'the launch template names image, groups and key; only our templates may be used',
  },
  {
    sid: 'TagWhatIsLaunched',
    actions: ['ec2:CreateTags'],
    resources: (names) => [arnOf(names, 'ec2', 'instance/*'), arnOf(names, 'ec2', 'volume/*')],
    conditions: () => ({ StringEquals: { 'ec2:CreateAction': 'RunInstances' } }),
    wildcardReason: 'tags may be given at launch only, to what that launch makes',
  },
  {
    sid: 'PassNodeRole',
    actions: ['iam:PassRole'],
    resources: (names) => names.nodeRoleArns,
    conditions: () => ({ StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } }),
  },
];

/** Undo and retire. */
export const machinesTerminate: PermissionList = [
  {
    sid: 'TerminateMachines',
    actions: ['ec2:TerminateInstances'],
    resources: (names) => [arnOf(names, 'ec2', 'instance/*')],
    conditions: taggedAsOurs,
    wildcardReason: tagIsTheBound,
  },
];
