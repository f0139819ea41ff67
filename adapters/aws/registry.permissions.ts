import type { PermissionList } from '../../core/permissions/permission';
import { throughService } from '../../core/permissions/permission';

/** How the table is laid out. */
export const registryTable = { partitionKey: 'pk', sortKey: 'sk', timeToLive: 'expiresAtSeconds' } as const;

const keyOfTable: PermissionList[number] = {
  sid: 'UseRegistryKey',
  actions: ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:DescribeKey'],
  resources: (names) => [names.keyArn],
  conditions: throughService('dynamodb'),
};

export const registryRead: PermissionList = [
  {
    sid: 'ReadRegistry',
    actions: ['dynamodb:GetItem', 'dynamodb:Query'],
    resources: (names) => [names.tableArn],
  },
  keyOfTable,
];

/** Every step has these: they carry its ledger and its lease. Transactions need no action of their own. */
export const registryUse: PermissionList = [
  {
    sid: 'UseRegistry',
    actions: [
      'dynamodb:GetItem',
      'dynamodb:Query',
      'dynamodb:PutItem',
      'dynamodb:DeleteItem',
      'dynamodb:ConditionCheckItem',
    ],
    resources: (names) => [names.tableArn],
  },
  keyOfTable,
];
