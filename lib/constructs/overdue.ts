import type { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { surroundingsOf } from './surroundings';

export interface OverdueProps {
  readonly machine: IStateMachine;
  readonly workflow: string;
  /** At most a day. */
  readonly period: Duration;
  /** In how many periods in a row no execution succeeded. At most a week in all. */
  readonly periods: number;
}

/** Tells people that a scheduled workflow has not succeeded for too long: the failure that fails nothing. */
export class Overdue extends Construct {
  constructor(scope: Construct, id: string, props: OverdueProps) {
    super(scope, id);
    const hours = Math.round((props.period.toMinutes() * props.periods) / 6) / 10;
    new Alarm(this, 'Alarm', {
      alarmDescription: `No execution of ${props.workflow} has succeeded for ${hours} h; see its latest executions`,
      metric: props.machine.metricSucceeded({ period: props.period, statistic: 'Sum' }),
      threshold: 1,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: props.periods,
      treatMissingData: TreatMissingData.BREACHING,
    }).addAlarmAction(new SnsAction(surroundingsOf(this).topic));
  }
}
