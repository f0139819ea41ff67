import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { SnsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { Construct } from 'constructs';
import { executionsStart } from '../../adapters/aws/executions.permissions';
import { notificationsPublish } from '../../adapters/aws/notifications.permissions';
import { registryRead } from '../../adapters/aws/registry.permissions';
import { CodeFunction } from './code-function';
import { surroundingsOf } from './surroundings';

export interface StarterProps {
  /** The workflows that it may start, and no other. */
  readonly workflows: readonly string[];
}

/**
 * The one way by which alarms, events and schedules reach state machines. It is called asynchronously: Lambda tries three
 * times, and then tells people.
 */
export class Starter extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: StarterProps) {
    super(scope, id);
    const { environment, names, topic } = surroundingsOf(this);
    const { function: starter } = new CodeFunction(this, 'Code', {
      entry: 'starter/start-execution',
      description: `Starts ${props.workflows.join(', ')}`,
      timeout: Duration.seconds(20),
      memoryMiB: 256,
      codec: false,
      environment: { ...environment, REJOIN_CLUSTERS: JSON.stringify(names.clusters) },
      permissions: [registryRead, executionsStart(...props.workflows), notificationsPublish],
      place: null,
    });
    starter.configureAsyncInvoke({
      retryAttempts: 2,
      maxEventAge: Duration.hours(1),
      onFailure: new SnsDestination(topic),
    });
    new Alarm(this, 'Fails', {
      alarmDescription: `An alarm, event or schedule could not start ${props.workflows.join(' or ')}; see the log of this function`,
      metric: starter.metricErrors({ period: Duration.minutes(1), statistic: 'Sum' }),
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(new SnsAction(topic));
    this.function = starter;
  }
}
