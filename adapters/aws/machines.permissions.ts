import type { PermissionList, ResourceNames } from '../../core/permissions/permission';
import { arnOf, taggedAsOurs, taggingAsOurs } from '../../core/permissions/permission';
import { settingsRead } from './settings.permissions';

const tagIsTheBound = 'replacements get their ids at launch; the tag rejoin:cluster is the bound';

/** The ARN of snapshots has no account. */
function snapshots(names: ResourceNames): string {
  return `arn:${names.partition}:ec2:${names.region}::snapshot/*`;
}

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
      snapshots(names),
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

/** Snapshots of nodes' volumes. Volumes and snapshots both bear the tag of a cluster. */
export const machinesSnapshot: PermissionList = [
  {
    sid: 'TakeSnapshotsOfVolumes',
    actions: ['ec2:CreateSnapshot'],
    resources: (names) => [arnOf(names, 'ec2', 'volume/*')],
    conditions: taggedAsOurs,
    wildcardReason: 'volumes get their ids at launch; the tag rejoin:cluster is the bound',
  },
  {
    sid: 'MakeTaggedSnapshots',
    actions: ['ec2:CreateSnapshot'],
    resources: (names) => [snapshots(names)],
    conditions: taggingAsOurs,
    wildcardReason: 'snapshots get their ids when they begin; they must be tagged rejoin:cluster',
  },
  {
    sid: 'TagSnapshotsThatBegin',
    actions: ['ec2:CreateTags'],
    resources: (names) => [snapshots(names)],
    conditions: () => ({ StringEquals: { 'ec2:CreateAction': 'CreateSnapshot' } }),
    wildcardReason: 'tags may be given to a snapshot when it begins only',
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
