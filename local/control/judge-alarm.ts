import type { DeployedAlarm } from '../templates/deployed-app';

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';

/**
 * The state of an alarm, as CloudWatch judges the last `evaluationPeriods` whole periods.
 *
 * @param values one a period; null: it has no data
 */
export function judgeAlarm(
  alarm: Pick<DeployedAlarm, 'datapointsToAlarm' | 'threshold' | 'comparison' | 'missingData'>,
  values: readonly (number | null)[],
  before: AlarmState,
): { readonly state: AlarmState; readonly reason: string } {
  const present = values.filter((value) => value !== null);
  const breaching = values.filter((value) =>
    value === null ? alarm.missingData === 'breaching' : breaches(alarm, value),
  ).length;
  const shown = values.map((value) => value ?? 'no data').join(', ');
  const reason = `${breaching} of the last ${values.length} periods breach the threshold of ${alarm.threshold} (${shown})`;
  if (breaching >= alarm.datapointsToAlarm) {
    return { state: 'ALARM', reason };
  }
  if (present.length === 0 && alarm.missingData === 'missing') {
    return { state: 'INSUFFICIENT_DATA', reason };
  }
  return { state: present.length === 0 && alarm.missingData === 'ignore' ? before : 'OK', reason };
}

function breaches({ comparison, threshold }: Pick<DeployedAlarm, 'comparison' | 'threshold'>, value: number): boolean {
  switch (comparison) {
    case 'GreaterThanOrEqualToThreshold':
      return value >= threshold;
    case 'GreaterThanThreshold':
      return value > threshold;
    case 'LessThanThreshold':
      return value < threshold;
    case 'LessThanOrEqualToThreshold':
      return value <= threshold;
  }
}
