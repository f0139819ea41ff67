import { replacementAlarmName } from '../../core/alarms/alarm-names';
import { statusAlarmDescription, statusChecks } from '../../core/alarms/status-checks';
import type { StatusAlarms, WatchedMachine } from '../../core/ports/status-alarms';
import { localAccount, localRegion } from '../templates/physical-names';
import type { LocalAlarms } from './local-alarms';

/** Alarms on status checks beside the deployed ones, judged as they are: from the local metrics. */
export class LocalStatusAlarms implements StatusAlarms {
  constructor(private readonly alarms: LocalAlarms) {}

  async put({ cluster, nodeId, machineId }: WatchedMachine): Promise<void> {
    const name = replacementAlarmName(cluster, nodeId, machineId);
    const { dimension, evaluationPeriods, ...checks } = statusChecks;
    this.alarms.put({
      ...checks,
      name,
      arn: `arn:aws:cloudwatch:${localRegion}:${localAccount}:alarm:${name}`,
      description: statusAlarmDescription(cluster, nodeId),
      dimensions: { [dimension]: machineId },
      evaluationPeriods,
      datapointsToAlarm: evaluationPeriods,
      alarmActions: [],
    });
  }

  async remove({ cluster, nodeId, machineId }: WatchedMachine): Promise<void> {
    this.alarms.remove(replacementAlarmName(cluster, nodeId, machineId));
  }
}
