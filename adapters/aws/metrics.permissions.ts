import type { PermissionList } from '../../core/permissions/permission';

/** Where all of Rejoin's metrics are. */
export const metricNamespace = 'Rejoin';

export const metricsPublish: PermissionList = [
  {
    sid: 'PublishMetrics',
    actions: ['cloudwatch:PutMetricData'],
    resources: () => ['*'],
    conditions: () => ({ StringEquals: { 'cloudwatch:namespace': metricNamespace } }),
    wildcardReason: 'CloudWatch knows no resource for metric data; the namespace is the bound',
  },
];

export const metricsRead: PermissionList = [
  {
    sid: 'ReadMetrics',
    actions: ['cloudwatch:GetMetricData'],
    resources: () => ['*'],
    wildcardReason: 'CloudWatch knows neither resource nor namespace for reading metric data',
  },
];
