import { Duration } from 'aws-cdk-lib';
import { Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { backupAge, slotRetained, slotRetainedPercent } from './capture-alarms';

export interface BackupDashboardProps {
  readonly full: IStateMachine;
  readonly changes: IStateMachine;
  /** Cluster → its nodes. */
  readonly clusters: Readonly<Record<string, { readonly nodes: Readonly<Record<string, unknown>> }>>;
}

/** When backups and captures last succeeded, how long they take, how old backups are, and how much log slots hold back. */
export class BackupDashboard extends Construct {
  constructor(scope: Construct, id: string, { full, changes, clusters }: BackupDashboardProps) {
    super(scope, id);
    const dashboard = new Dashboard(this, 'Dashboard', {
      dashboardName: 'rejoin-backup',
      defaultInterval: Duration.days(14),
    });
    for (const { title, machine, period } of [
      { title: 'Full backups', machine: full, period: Duration.days(1) },
      { title: 'Captures of changes', machine: changes, period: Duration.minutes(15) },
    ]) {
      dashboard.addWidgets(
        new GraphWidget({
          title,
          width: 12,
          left: [
            machine.metricSucceeded({ period }),
            machine.metricFailed({ period }),
            machine.metricTimedOut({ period }),
          ],
        }),
        new GraphWidget({
          title: `${title}: duration (ms)`,
          width: 12,
          left: [machine.metricTime({ period, statistic: 'Maximum' })],
        }),
      );
    }
    const period = Duration.minutes(5);
    for (const [cluster, { nodes }] of Object.entries(clusters)) {
      const members = Object.keys(nodes);
      const graph = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 8 });
      dashboard.addWidgets(
        graph(`${cluster}: age of the newest verified backup (s)`, [backupAge(cluster, period)]),
        graph(
          `${cluster}: log held back by slots (bytes)`,
          members.map((member) => slotRetained(cluster, member, period).with({ label: member })),
        ),
        graph(
          `${cluster}: share of max_slot_wal_keep_size (%)`,
          members.map((member) => slotRetainedPercent(cluster, member, period).with({ label: member })),
        ),
      );
    }
  }
}
