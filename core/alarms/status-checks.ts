/**
 * When EC2's own checks of an instance count as failed: twice in a row, a minute apart, so after two to three minutes.
 * Deployed alarms and those of replacements are made of the same figures.
 */
export const statusChecks = {
  namespace: 'AWS/EC2',
  metricName: 'StatusCheckFailed',
  /** The dimension that names the instance. */
  dimension: 'InstanceId',
  statistic: 'Maximum',
  periodSeconds: 60,
  evaluationPeriods: 2,
  threshold: 1,
  comparison: 'GreaterThanOrEqualToThreshold',
  /** An instance that was replaced reports nothing any more. */
  missingData: 'notBreaching',
} as const;

/** What an operator reads on the alarm. */
export function statusAlarmDescription(cluster: string, nodeId: string): string {
  return `EC2's checks of ${nodeId} of cluster ${cluster} fail; node-recovery is started`;
}
