import type { StackProps } from 'aws-cdk-lib';
import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { heartbeatAlarmPrefix, statusAlarmPrefix } from '../../core/alarms/alarm-names';
import { eventSource } from '../../core/events/event-envelope';
import type { AppSettings } from '../config/app-settings';
import { HostDocuments } from '../constructs/host-documents';
import { NodeAlarms } from '../constructs/node-alarms';
import { RecoveryDashboard } from '../constructs/recovery-dashboard';
import { Starter } from '../constructs/starter';
import { surroundingsOf } from '../constructs/surroundings';
import { Triggers } from '../constructs/triggers';
import { NodeRecovery } from '../workflows/node-recovery';
import type { FoundationStack } from './foundation-stack';

export interface WorkflowStackProps extends StackProps {
  readonly settings: AppSettings;
  readonly foundation: FoundationStack;
}

/** Replaces failed nodes: the state machine, and what starts it. */
export class NodeRecoveryStack extends Stack {
  constructor(scope: Construct, id: string, { settings, foundation, ...props }: WorkflowStackProps) {
    super(scope, id, { description: 'Rejoin: replaces a failed node and restores its rows', ...props });
    foundation.provideTo(this);
    const { machine } = new NodeRecovery(this, 'NodeRecovery');
    this.listen(settings);
    new HostDocuments(this, 'HostDocuments');
    for (const [cluster, { nodes }] of Object.entries(settings.clusters)) {
      for (const [member, node] of Object.entries(nodes)) {
        const instanceId = node.machine.kind === 'ec2' ? node.machine.instanceId : null;
        new NodeAlarms(this, `Alarms-${cluster}-${member}`, { cluster, member, instanceId });
      }
    }
    new RecoveryDashboard(this, 'Dashboard', { machine, clusters: settings.clusters });
  }

  /** Everything that may start a recovery, but a person. */
  private listen(settings: AppSettings): void {
    const triggers = new Triggers(this, 'Triggers', new Starter(this, 'Starter', { workflows: ['node-recovery'] }));
    triggers.onEvent('Alarms', {
      description: 'A heartbeat is missing, or the checks of a machine fail',
      pattern: {
        source: ['aws.cloudwatch'],
        detailType: ['CloudWatch Alarm State Change'],
        detail: {
          alarmName: [{ prefix: heartbeatAlarmPrefix }, { prefix: statusAlarmPrefix }],
          state: { value: ['ALARM'] },
        },
      },
    });
    triggers.onEvent('Agents', {
      description: 'An agent has promoted shards, or finds a node silent',
      bus: surroundingsOf(this).bus,
      pattern: { source: [eventSource], detailType: ['ShardsPromoted', 'NodeSilent'] },
    });
    const kinds = new Set(
      Object.values(settings.clusters).flatMap(({ nodes }) => Object.values(nodes).map(({ machine }) => machine.kind)),
    );
    if (kinds.has('ec2')) {
      triggers.onEvent('Machines', {
        description: 'An EC2 instance stops',
        pattern: {
          source: ['aws.ec2'],
          detailType: ['EC2 Instance State-change Notification'],
          detail: { state: ['stopping', 'stopped', 'shutting-down', 'terminated'] },
        },
      });
    }
    if (kinds.has('rds')) {
      triggers.onEvent('ManagedDatabases', {
        description: 'An RDS instance fails or is not available',
        pattern: {
          source: ['aws.rds'],
          detailType: ['RDS DB Instance Event'],
          detail: { EventCategories: ['availability', 'failure'] },
        },
      });
    }
  }
}
