import { Duration } from 'aws-cdk-lib';
import { Dashboard, GraphWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';

export interface BackupDashboardProps {
  readonly full: IStateMachine;
  readonly changes: IStateMachine;
}

/** When backups and captures last succeeded, and how long they take. */
export class BackupDashboard extends Construct {
  constructor(scope: Construct, id: string, { full, changes }: BackupDashboardProps) {
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
  }
}
