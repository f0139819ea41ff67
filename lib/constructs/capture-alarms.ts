import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Construct } from 'constructs';
import { metricNamespace } from '../../adapters/aws/metrics.permissions';
import { surroundingsOf } from './surroundings';

export interface CaptureAlarmsProps {
  readonly cluster: string;
  /** The nodes' ids in rejoin.yaml; whoever replaces one is measured under the same name. */
  readonly members: readonly string[];
  readonly changesEveryMinutes: number;
  readonly maxAgeDays: number;
}

/** At this share of `max_slot_wal_keep_size`, in percent, there is still time to do something. */
const retainedPercent = 50;

export function slotRetainedPercent(cluster: string, member: string, period: Duration): Metric {
  return metric('SlotRetainedPercent', { Cluster: cluster, Node: member }, period);
}

export function slotRetained(cluster: string, member: string, period: Duration): Metric {
  return metric('SlotRetained', { Cluster: cluster, Node: member }, period);
}

export function backupAge(cluster: string, period: Duration): Metric {
  return metric('BackupAge', { Cluster: cluster }, period);
}

/** What each capture of changes measures, and when it is too much. */
export class CaptureAlarms extends Construct {
  constructor(scope: Construct, id: string, props: CaptureAlarmsProps) {
    super(scope, id);
    const { cluster, members, maxAgeDays } = props;
    const { topic } = surroundingsOf(this);
    const period = Duration.minutes(Math.max(5, props.changesEveryMinutes));
    for (const member of members) {
      new Alarm(this, `SlotRetained-${member}`, {
        alarmName: `rejoin/slot-retained/${cluster}/${member}`,
        alarmDescription: `The slots of ${member} of cluster ${cluster} hold back more than half of max_slot_wal_keep_size; at all of it they are lost`,
        metric: slotRetainedPercent(cluster, member, period),
        threshold: retainedPercent,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: 1,
        // A server without a limit has no share; a node that is silent has alarms of its own.
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }).addAlarmAction(new SnsAction(topic));
    }
    new Alarm(this, 'BackupAge', {
      alarmName: `rejoin/backup-age/${cluster}`,
      alarmDescription: `The newest verified backup of cluster ${cluster} is older than ${maxAgeDays} days, or there is none: a node would be restored from the survivors alone`,
      metric: backupAge(cluster, period),
      threshold: Duration.days(maxAgeDays).toSeconds(),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 3,
      // Each capture says it: silence means that there is no backup, or no capture.
      treatMissingData: TreatMissingData.BREACHING,
    }).addAlarmAction(new SnsAction(topic));
  }
}

function metric(metricName: string, dimensionsMap: Record<string, string>, period: Duration): Metric {
  return new Metric({ namespace: metricNamespace, metricName, dimensionsMap, period, statistic: 'Maximum' });
}
