import { Duration } from 'aws-cdk-lib';
import { Dashboard, GraphWidget, type IMetric, Metric, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { metricNamespace } from '../../adapters/aws/metrics.permissions';
import { outcomes } from '../../core/outcome/outcome';

export interface RecoveryDashboardProps {
  readonly machine: IStateMachine;
  /** Cluster → its nodes. */
  readonly clusters: Readonly<Record<string, { readonly nodes: Readonly<Record<string, unknown>> }>>;
}

/** What the evidence step publishes of each recovery: time from the failure, in milliseconds. */
const milestones = ['TimeToFenced', 'TimeToTrafficRestored', 'TimeToInSync', 'TimeToJoined'];

/** Who is alive, how recoveries ended, and how long they took. */
export class RecoveryDashboard extends Construct {
  constructor(scope: Construct, id: string, { machine, clusters }: RecoveryDashboardProps) {
    super(scope, id);
    const dashboard = new Dashboard(this, 'Dashboard', {
      dashboardName: 'rejoin-node-recovery',
      defaultInterval: Duration.days(1),
    });
    const period = Duration.hours(1);
    dashboard.addWidgets(
      graph('Executions', [
        machine.metricStarted({ period }),
        machine.metricSucceeded({ period }),
        machine.metricFailed({ period }),
        machine.metricTimedOut({ period }),
        machine.metricAborted({ period }),
      ]),
    );
    for (const [cluster, { nodes }] of Object.entries(clusters)) {
      dashboard.addWidgets(new TextWidget({ markdown: `## ${cluster}`, width: 24, height: 1 }));
      dashboard.addWidgets(
        graph(
          'Heartbeats a minute',
          Object.keys(nodes).map((node) =>
            ours('Heartbeat', { Cluster: cluster, Node: node }, 'SampleCount', Duration.minutes(1)),
          ),
        ),
        graph(
          'Recoveries by outcome',
          outcomes.map((outcome) => ours('Recoveries', { Cluster: cluster, Outcome: outcome }, 'Sum', period)),
        ),
        graph('Passes of a recovery', [ours('Passes', { Cluster: cluster }, 'Maximum', period)]),
        graph(
          'Time from the failure (ms)',
          milestones.map((name) => ours(name, { Cluster: cluster }, 'Maximum', period)),
        ),
      );
    }
  }
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 6, height: 6 });
}

function ours(metricName: string, dimensionsMap: Record<string, string>, statistic: string, period: Duration): Metric {
  const label = Object.values(dimensionsMap).at(-1) ?? metricName;
  return new Metric({
    namespace: metricNamespace,
    metricName,
    dimensionsMap,
    statistic,
    period,
    label: metricName.startsWith('TimeTo') ? metricName : label,
  });
}
