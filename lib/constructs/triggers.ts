import { Duration } from 'aws-cdk-lib';
import type { EventPattern, IEventBus } from 'aws-cdk-lib/aws-events';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';
import type { Starter } from './starter';

/** What brings a starter its events: rules on event buses, and schedules. */
export class Triggers extends Construct {
  private readonly starter: Starter;

  constructor(scope: Construct, id: string, starter: Starter) {
    super(scope, id);
    this.starter = starter;
  }

  /** Hands the starter every event that fits, as it is. */
  onEvent(
    id: string,
    rule: { readonly description: string; readonly pattern: EventPattern; readonly bus?: IEventBus },
  ): void {
    new Rule(this, id, {
      description: rule.description,
      eventPattern: rule.pattern,
      ...(rule.bus === undefined ? {} : { eventBus: rule.bus }),
      targets: [this.target()],
    });
  }

  /** Starts a workflow for a cluster, again and again. `expression` as EventBridge writes it, in UTC. */
  onSchedule(
    id: string,
    order: { readonly machine: string; readonly cluster: string; readonly expression: string },
  ): void {
    const { machine, cluster, expression } = order;
    new Rule(this, id, {
      description: `Starts ${machine} for cluster ${cluster}`,
      schedule: Schedule.expression(expression),
      targets: [this.target(RuleTargetInput.fromObject({ trigger: 'schedule', machine, cluster }))],
    });
  }

  private target(event?: RuleTargetInput): LambdaFunction {
    return new LambdaFunction(this.starter.function, {
      retryAttempts: 8,
      maxEventAge: Duration.minutes(30),
      ...(event === undefined ? {} : { event }),
    });
  }
}
