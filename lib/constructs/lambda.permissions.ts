import type { PermissionList } from '../../core/permissions/permission';

/** What the Lambda service does in the function's name to give it a place in a subnet. */
export const networkInterfaces: PermissionList = [
  {
    sid: 'JoinSubnets',
    actions: [
      'ec2:CreateNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:DeleteNetworkInterface',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ],
    resources: () => ['*'],
    wildcardReason:
      'the interfaces do not exist yet, and EC2 knows no resource for describing them; Lambda accepts no narrower grant',
  },
];
