import { replacementAlarmName } from '../../core/alarms/alarm-names';
import { RejoinError } from '../../core/errors';
import type { StatusAlarms, WatchedMachine } from '../../core/ports/status-alarms';

/** Names of alarms in a simulated world. Passes test/contract/status-alarms.ts. */
export class SimulatedStatusAlarms implements StatusAlarms {
  readonly names = new Set<string>();
  /** Whether nobody may change alarms any more. */
  refuses = false;

  async put({ cluster, nodeId, machineId }: WatchedMachine): Promise<void> {
    this.check();
    this.names.add(replacementAlarmName(cluster, nodeId, machineId));
  }

  async remove({ cluster, nodeId, machineId }: WatchedMachine): Promise<void> {
    this.check();
    this.names.delete(replacementAlarmName(cluster, nodeId, machineId));
  }

  private check(): void {
    if (this.refuses) {
      throw new RejoinError('ApiRefused', 'too many alarms');
    }
  }
}
