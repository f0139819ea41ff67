import type { PermissionList } from '../../core/permissions/permission';

export const dnsRead: PermissionList = [
  { sid: 'ReadRecords', actions: ['route53:ListResourceRecordSets'], resources: (names) => [names.hostedZoneArn] },
  {
    sid: 'FollowRecordChanges',
    actions: ['route53:GetChange'],
    resources: (names) => [`arn:${names.partition}:route53:::change/*`],
    wildcardReason: 'a change gets its id when it is made; reading one changes nothing',
  },
];

export const dnsChange: PermissionList = [
  { sid: 'ChangeRecords', actions: ['route53:ChangeResourceRecordSets'], resources: (names) => [names.hostedZoneArn] },
];
