import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { IChainable } from 'aws-cdk-lib/aws-stepfunctions';
import {
  CustomerManagedEncryptionConfiguration,
  DefinitionBody,
  LogLevel,
  QueryLanguage,
  StateMachine,
} from 'aws-cdk-lib/aws-stepfunctions';
import type { IConstruct } from 'constructs';
import { Construct } from 'constructs';
import { logRetention } from './log-retention';
import { surroundingsOf } from './surroundings';

export interface WorkflowProps {
  /** The workflow's name: its state machine is `rejoin-<name>`. */
  readonly name: string;
  /** Ends every execution that is still running. */
  readonly timeout: Duration;
  /** Says in a sentence what the machine does, for the console. */
  readonly comment: string;
  /** Declares steps and states under the workflow and returns its story. */
  readonly definition: (workflow: Workflow) => IChainable;
}

/** One state machine, in JSONata, with its log, its key and the alarms on its bad endings. */
export class Workflow extends Construct {
  readonly name: string;
  readonly machine: StateMachine;
  private readonly statements: PolicyStatement[] = [];

  /** The workflow that `construct` is part of. @throws Error when it is part of none */
  static of(construct: IConstruct): Workflow {
    const found = [...construct.node.scopes].reverse().find((scope) => scope instanceof Workflow);
    if (found === undefined) {
      throw new Error(`'${construct.node.path}' is not inside a Workflow; create it within 'definition'`);
    }
    return found;
  }

  constructor(scope: Construct, id: string, props: WorkflowProps) {
    super(scope, id);
    this.name = props.name;
    const surroundings = surroundingsOf(this);
    const log = new LogGroup(this, 'Log', {
      // Step Functions writes to groups of this prefix without an entry of their own in the account's resource policy.
      logGroupName: `/aws/vendedlogs/states/rejoin-${props.name}`,
      retention: logRetention,
      encryptionKey: surroundings.key,
      removalPolicy: surroundings.removal,
    });
    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: `rejoin-${props.name}`,
      comment: props.comment,
      queryLanguage: QueryLanguage.JSONATA,
      definitionBody: DefinitionBody.fromChainable(props.definition(this)),
      timeout: props.timeout,
      // Inputs and answers are part of the record: no secret ever enters a state.
      logs: { destination: log, level: LogLevel.ALL, includeExecutionData: true },
      tracingEnabled: true,
      encryptionConfiguration: new CustomerManagedEncryptionConfiguration(surroundings.key),
    });
    for (const statement of this.statements) {
      this.machine.addToRolePolicy(statement);
    }
    this.watch();
  }

  /** Lets the machine itself, not a step, do something, such as reading a map's items. Call it within `definition`. */
  allow(statement: { readonly sid: string; readonly actions: string[]; readonly resources: string[] }): void {
    this.statements.push(new PolicyStatement(statement));
  }

  /** An execution that ended badly, in whatever way, reaches people. */
  private watch(): void {
    const options = { period: Duration.minutes(1), statistic: 'Sum' };
    const endings = [
      { id: 'Failed', metric: this.machine.metricFailed(options), what: 'was refused, undone or failed' },
      { id: 'TimedOut', metric: this.machine.metricTimedOut(options), what: 'ran out of time' },
      { id: 'Aborted', metric: this.machine.metricAborted(options), what: 'was stopped by somebody' },
      { id: 'Throttled', metric: this.machine.metricThrottled(options), what: 'was held up: too many state changes' },
    ];
    const { topic } = surroundingsOf(this);
    for (const { id, metric, what } of endings) {
      new Alarm(this, `Alarm${id}`, {
        alarmDescription: `An execution of ${this.name} ${what}; its history says why`,
        metric,
        threshold: 1,
        evaluationPeriods: 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }).addAlarmAction(new SnsAction(topic));
    }
  }
}
