import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { dnsChange, dnsRead } from '../../adapters/aws/dns.permissions';
import { eventsPublish } from '../../adapters/aws/events.permissions';
import { executionsRead, executionsStart } from '../../adapters/aws/executions.permissions';
import {
  machinesLaunch,
  machinesObserve,
  machinesQuarantine,
  machinesStop,
  machinesTerminate,
} from '../../adapters/aws/machines.permissions';
import {
  managedCreate,
  managedObserve,
  managedQuarantine,
  managedRemove,
  managedStop,
} from '../../adapters/aws/managed-databases.permissions';
import { metricsPublish } from '../../adapters/aws/metrics.permissions';
import { notificationsPublish } from '../../adapters/aws/notifications.permissions';
import { backupsRead, evidenceWrite } from '../../adapters/aws/objects.permissions';
import { proberUse } from '../../adapters/aws/prober.permissions';
import { settingsRead } from '../../adapters/aws/settings.permissions';
import { statusAlarmsPut, statusAlarmsRemove } from '../../adapters/aws/status-alarms.permissions';
import { Step, type StepProps } from '../constructs/step';

type StepName =
  | 'confirmFailure'
  | 'decideRecovery'
  | 'takeLease'
  | 'releaseLease'
  | 'fenceNode'
  | 'promoteSurvivor'
  | 'proveStopped'
  | 'launchReplacement'
  | 'waitForReplacement'
  | 'openLostShard'
  | 'handOver'
  | 'joinStandby'
  | 'planRebalance'
  | 'rebalanceShard'
  | 'moveBack'
  | 'retireMachine'
  | 'startFullBackup'
  | 'undo'
  | 'writeEvidence';

/** The steps of node recovery, each with its time and with what it may do. */
export type NodeRecoverySteps = Readonly<Record<StepName, Step>>;

const props: Readonly<Record<StepName, StepProps>> = {
  confirmFailure: {
    entry: 'node-recovery/confirm-failure',
    timeout: Duration.seconds(20),
    reaches: 'databases',
    uses: [machinesObserve, managedObserve],
  },
  decideRecovery: {
    entry: 'node-recovery/decide-recovery',
    timeout: Duration.seconds(20),
    reaches: 'databases',
    uses: [machinesObserve, managedObserve, executionsRead('node-recovery'), backupsRead],
  },
  takeLease: { entry: 'machines/take-lease', timeout: Duration.seconds(5) },
  releaseLease: { entry: 'machines/release-lease', timeout: Duration.seconds(5) },
  fenceNode: {
    entry: 'node-recovery/fence-node',
    timeout: Duration.seconds(30),
    uses: [
      settingsRead,
      machinesObserve,
      machinesStop,
      machinesQuarantine,
      managedObserve,
      managedStop,
      managedQuarantine,
    ],
  },
  promoteSurvivor: {
    entry: 'node-recovery/promote-survivor',
    // Where somebody else promotes a standby, they have 120 s for it.
    timeout: Duration.seconds(180),
    reaches: 'databases',
  },
  proveStopped: {
    entry: 'machines/prove-stopped',
    timeout: Duration.seconds(15),
    uses: [settingsRead, machinesObserve, managedObserve, proberUse],
  },
  launchReplacement: {
    entry: 'machines/launch-replacement',
    timeout: Duration.seconds(60),
    uses: [settingsRead, machinesLaunch, machinesObserve, managedCreate, managedObserve, statusAlarmsPut],
  },
  waitForReplacement: {
    entry: 'machines/wait-for-replacement',
    // A restored instance is taken out of service, shard by shard.
    timeout: Duration.seconds(60),
    reaches: 'databases',
    uses: [machinesObserve, managedObserve, managedQuarantine, dnsRead, dnsChange],
  },
  openLostShard: { entry: 'node-recovery/open-lost-shard', timeout: Duration.seconds(60), reaches: 'databases' },
  handOver: { entry: 'node-recovery/hand-over', timeout: Duration.minutes(5), reaches: 'databases' },
  joinStandby: { entry: 'node-recovery/join-standby', timeout: Duration.seconds(60), reaches: 'databases' },
  planRebalance: { entry: 'node-recovery/plan-rebalance', timeout: Duration.seconds(10) },
  rebalanceShard: { entry: 'node-recovery/rebalance-shard', timeout: Duration.seconds(30), reaches: 'databases' },
  moveBack: { entry: 'node-recovery/move-back', timeout: Duration.seconds(30), reaches: 'databases' },
  retireMachine: {
    entry: 'machines/retire-machine',
    timeout: Duration.seconds(60),
    reaches: 'databases',
    uses: [machinesTerminate, managedRemove, managedObserve, statusAlarmsRemove, dnsRead, dnsChange],
  },
  startFullBackup: {
    entry: 'node-recovery/start-full-backup',
    timeout: Duration.seconds(10),
    uses: [executionsStart('full-backup')],
  },
  undo: {
    entry: 'node-recovery/undo',
    timeout: Duration.minutes(5),
    reaches: 'databases',
    uses: [machinesTerminate, managedRemove, managedObserve, statusAlarmsRemove, dnsRead, dnsChange],
  },
  writeEvidence: {
    entry: 'node-recovery/write-evidence',
    timeout: Duration.seconds(60),
    uses: [
      settingsRead,
      evidenceWrite,
      executionsRead('node-recovery'),
      notificationsPublish,
      metricsPublish,
      eventsPublish,
    ],
  },
};

export function nodeRecoverySteps(scope: Construct): NodeRecoverySteps {
  const made = Object.entries(props).map(([name, its]) => {
    const id = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    return [name, new Step(scope, id, its)] as const;
  });
  return Object.fromEntries(made) as NodeRecoverySteps;
}
