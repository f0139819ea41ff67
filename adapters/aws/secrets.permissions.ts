import type { PermissionList } from '../../core/permissions/permission';

/** The clusters' own secrets and no other. A secret under a key of the customer's needs that key's policy to allow it. */
export const secretsRead: PermissionList = [
  {
    sid: 'ReadDatabaseSecrets',
    actions: ['secretsmanager:GetSecretValue'],
    resources: (names) => names.secretArns,
  },
];
