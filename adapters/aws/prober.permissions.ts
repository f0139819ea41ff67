import type { PermissionList } from '../../core/permissions/permission';

export const proberUse: PermissionList = [
  { sid: 'Probe', actions: ['lambda:InvokeFunction'], resources: (names) => names.proberFunctionArns },
];
