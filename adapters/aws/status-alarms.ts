import { type CloudWatchClient, DeleteAlarmsCommand, PutMetricAlarmCommand } from '@aws-sdk/client-cloudwatch';
import { replacementAlarmName } from '../../core/alarms/alarm-names';
import { statusAlarmDescription, statusChecks } from '../../core/alarms/status-checks';
import { clusterTag } from '../../core/permissions/permission';
import type { StatusAlarms, WatchedMachine } from '../../core/ports/status-alarms';
import { ask, askIfThere } from './api-error';
import { nodeTag } from './tags';

/** CloudWatch alarms on EC2's status checks. What goes off is heard by the rule that hears the deployed alarms. */
export class CloudWatchStatusAlarms implements StatusAlarms {
  constructor(private readonly client: CloudWatchClient) {}

  async put({ cluster, nodeId, machineId }: WatchedMachine): Promise<void> {
    const name = replacementAlarmName(cluster, nodeId, machineId);
    await ask(
      `put alarm '${name}'`,
      this.client.send(
        new PutMetricAlarmCommand({
          AlarmName: name,
          AlarmDescription: statusAlarmDescription(cluster, nodeId),
          Namespace: statusChecks.namespace,
          MetricName: statusChecks.metricName,
          Dimensions: [{ Name: statusChecks.dimension, Value: machineId }],
          Statistic: statusChecks.statistic,
          Period: statusChecks.periodSeconds,
          EvaluationPeriods: statusChecks.evaluationPeriods,
          Threshold: statusChecks.threshold,
          ComparisonOperator: statusChecks.comparison,
          TreatMissingData: statusChecks.missingData,
          Tags: [
            { Key: clusterTag, Value: cluster },
            { Key: nodeTag, Value: nodeId },
          ],
        }),
      ),
    );
  }

  async remove({ cluster, nodeId, machineId }: WatchedMachine): Promise<void> {
    const name = replacementAlarmName(cluster, nodeId, machineId);
    await askIfThere(`delete alarm '${name}'`, this.client.send(new DeleteAlarmsCommand({ AlarmNames: [name] })), {
      ResourceNotFound: 'NotFound',
      ResourceNotFoundException: 'NotFound',
    });
  }
}
