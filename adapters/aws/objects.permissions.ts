import type { PermissionList, ResourceNames } from '../../core/permissions/permission';
import { throughService } from '../../core/permissions/permission';

const keysAreMadeAtRunTime = 'the keys of backups and evidence are made while a run goes on; the bucket is the bound';

/** Reads and lists. Listing is also what makes a missing object 'not there' instead of 'not allowed'. */
function read(bucket: 'Backups' | 'Evidence', arn: (names: ResourceNames) => string): PermissionList {
  return [
    {
      sid: `Read${bucket}`,
      actions: ['s3:GetObject'],
      resources: (names) => [`${arn(names)}/*`],
      wildcardReason: keysAreMadeAtRunTime,
    },
    { sid: `List${bucket}`, actions: ['s3:ListBucket'], resources: (names) => [arn(names)] },
    {
      sid: `Decrypt${bucket}`,
      actions: ['kms:Decrypt'],
      resources: (names) => [names.keyArn],
      conditions: throughService('s3'),
    },
  ];
}

function write(bucket: 'Backups' | 'Evidence', arn: (names: ResourceNames) => string): PermissionList {
  return [
    {
      sid: `Write${bucket}`,
      actions: ['s3:PutObject'],
      resources: (names) => [`${arn(names)}/*`],
      wildcardReason: keysAreMadeAtRunTime,
    },
    {
      sid: `Encrypt${bucket}`,
      // A large object is written in parts, which S3 reads again to join them.
      actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
      resources: (names) => [names.keyArn],
      conditions: throughService('s3'),
    },
  ];
}

const backups = (names: ResourceNames): string => names.backupsBucketArn;
const evidence = (names: ResourceNames): string => names.evidenceBucketArn;

export const backupsRead: PermissionList = read('Backups', backups);
export const backupsWrite: PermissionList = write('Backups', backups);
/** Retention only. The bucket keeps removed versions for a while. */
export const backupsRemove: PermissionList = [
  {
    sid: 'RemoveBackups',
    actions: ['s3:DeleteObject'],
    resources: (names) => [`${names.backupsBucketArn}/*`],
    wildcardReason: keysAreMadeAtRunTime,
  },
];
export const evidenceRead: PermissionList = read('Evidence', evidence);
export const evidenceWrite: PermissionList = write('Evidence', evidence);
