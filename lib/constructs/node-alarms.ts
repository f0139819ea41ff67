import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { metricNamespace } from '../../adapters/aws/metrics.permissions';
import { heartbeatAlarmName, statusAlarmName } from '../../core/alarms/alarm-names';
import { statusAlarmDescription, statusChecks } from '../../core/alarms/status-checks';

export interface NodeAlarmsProps {
  readonly cluster: string;
  /** The node's id in rejoin.yaml; whoever replaces it beats under the same name. */
  readonly member: string;
  /** Null for a node that is no EC2 instance. */
  readonly instanceId: string | null;
}

/** What is slower than the agents, and sees what they can't: a node whose agent is gone with it. */
export class NodeAlarms extends Construct {
  constructor(scope: Construct, id: string, props: NodeAlarmsProps) {
    super(scope, id);
    new Alarm(this, 'Heartbeat', {
      alarmName: heartbeatAlarmName(props.cluster, props.member),
      alarmDescription: `No heartbeat of ${props.member} of cluster ${props.cluster} for 30 s; node-recovery is started`,
      metric: new Metric({
        namespace: metricNamespace,
        metricName: 'Heartbeat',
        dimensionsMap: { Cluster: props.cluster, Node: props.member },
        statistic: 'SampleCount',
        period: Duration.seconds(10),
      }),
      threshold: 1,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: 3,
      // An agent that is gone says nothing.
      treatMissingData: TreatMissingData.BREACHING,
    });
    if (props.instanceId !== null) {
      new Alarm(this, 'Status', {
        alarmName: statusAlarmName(props.cluster, props.member),
        alarmDescription: statusAlarmDescription(props.cluster, props.member),
        metric: new Metric({
          namespace: statusChecks.namespace,
          metricName: statusChecks.metricName,
          dimensionsMap: { [statusChecks.dimension]: props.instanceId },
          statistic: statusChecks.statistic,
          period: Duration.seconds(statusChecks.periodSeconds),
        }),
        threshold: statusChecks.threshold,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: statusChecks.evaluationPeriods,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
    }
  }
}
