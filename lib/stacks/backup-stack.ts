import { Duration, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { BackupDashboard } from '../constructs/backup-dashboard';
import { CaptureAlarms } from '../constructs/capture-alarms';
import { Overdue } from '../constructs/overdue';
import { Starter } from '../constructs/starter';
import { Triggers } from '../constructs/triggers';
import { ChangeBackup } from '../workflows/change-backup';
import { FullBackup } from '../workflows/full-backup';
import type { WorkflowStackProps } from './node-recovery-stack';

/** Full backups on a schedule, and the capture of changes. */
export class BackupStack extends Stack {
  constructor(scope: Construct, id: string, { settings, foundation, ...props }: WorkflowStackProps) {
    super(scope, id, { description: 'Rejoin: full backups, and the capture of changes', ...props });
    foundation.provideTo(this);
    const full = new FullBackup(this, 'FullBackup').machine;
    const changes = new ChangeBackup(this, 'ChangeBackup').machine;
    const starter = new Starter(this, 'Starter', { workflows: ['full-backup', 'change-backup'] });
    const triggers = new Triggers(this, 'Triggers', starter);
    const clusters = Object.entries(settings.clusters).filter(([, { layout }]) => layout === 'sharded');
    for (const [cluster, { backup, nodes }] of clusters) {
      new CaptureAlarms(this, `Alarms-${cluster}`, { cluster, members: Object.keys(nodes), ...backup });
      triggers.onSchedule(`FullBackup-${cluster}`, {
        machine: 'full-backup',
        cluster,
        expression: backup.fullSchedule,
      });
      triggers.onSchedule(`ChangeBackup-${cluster}`, {
        machine: 'change-backup',
        cluster,
        expression: `rate(${backup.changesEveryMinutes} ${backup.changesEveryMinutes === 1 ? 'minute' : 'minutes'})`,
      });
    }
    if (clusters.length > 0) {
      const slowest = Math.max(...clusters.map(([, { backup }]) => backup.changesEveryMinutes));
      new Overdue(this, 'ChangesOverdue', {
        machine: changes,
        workflow: 'change-backup',
        period: Duration.minutes(5 * slowest),
        periods: 1,
      });
      // No alarm looks back further than a week.
      new Overdue(this, 'FullOverdue', {
        machine: full,
        workflow: 'full-backup',
        period: Duration.days(1),
        periods: 7,
      });
    }
    new BackupDashboard(this, 'Dashboard', { full, changes, clusters: Object.fromEntries(clusters) });
  }
}
