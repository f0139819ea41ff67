import type { PermissionList } from '../../core/permissions/permission';
import { arnOf, taggedAsOurs, taggingAsOurs } from '../../core/permissions/permission';
import { secretsRead } from './secrets.permissions';
import { settingsRead } from './settings.permissions';

const tagIsTheBound = 'replacements are named while a run goes on; the tag rejoin:cluster is the bound';

export const managedObserve: PermissionList = [
  {
    sid: 'ObserveManagedDatabases',
    actions: ['rds:DescribeDBInstances', 'rds:DescribeDBSnapshots'],
    resources: (names) => [arnOf(names, 'rds', 'db:*'), arnOf(names, 'rds', 'snapshot:*')],
    wildcardReason: 'replacements and snapshots are named while a run goes on; reading them changes nothing',
  },
];

export const managedStop: PermissionList = [
  {
    sid: 'StopManagedDatabases',
    actions: ['rds:StopDBInstance'],
    resources: (names) => [arnOf(names, 'rds', 'db:*')],
    conditions: taggedAsOurs,
    wildcardReason: tagIsTheBound,
  },
];

/** Moves an instance between security groups and ends its sessions: into quarantine, and out of it again. */
export const managedQuarantine: PermissionList = [
  {
    sid: 'QuarantineManagedDatabases',
    actions: ['rds:ModifyDBInstance', 'rds:RebootDBInstance'],
    resources: (names) => [arnOf(names, 'rds', 'db:*')],
    conditions: taggedAsOurs,
    wildcardReason: tagIsTheBound,
  },
];

/** An empty instance gets its administrator from the cluster's secret. */
export const managedCreate: PermissionList = [
  ...settingsRead,
  ...secretsRead,
  {
    sid: 'CreateManagedDatabases',
    actions: ['rds:CreateDBInstance', 'rds:RestoreDBInstanceFromDBSnapshot', 'rds:AddTagsToResource'],
    resources: (names) => [arnOf(names, 'rds', 'db:*')],
    conditions: taggingAsOurs,
    wildcardReason: 'the instance does not exist yet; it must be tagged rejoin:cluster',
  },
  {
    sid: 'CreateWithPartsOfLikeOnes',
    actions: ['rds:CreateDBInstance', 'rds:RestoreDBInstanceFromDBSnapshot'],
    resources: (names) => ['snapshot', 'subgrp', 'pg', 'og'].map((part) => arnOf(names, 'rds', `${part}:*`)),
    wildcardReason: 'snapshot, subnet group, parameter group and option group are those of the instance that it copies',
  },
];

/** Undo and retire. */
export const managedRemove: PermissionList = [
  {
    sid: 'RemoveManagedDatabases',
    actions: ['rds:DeleteDBInstance'],
    resources: (names) => [arnOf(names, 'rds', 'db:*')],
    conditions: taggedAsOurs,
    wildcardReason: tagIsTheBound,
  },
];
