import { Duration } from 'aws-cdk-lib';
import type { IChainable, State, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Fail, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { executionsRead } from '../../adapters/aws/executions.permissions';
import { settingsRead } from '../../adapters/aws/settings.permissions';
import type { Outcome } from '../../core/outcome/outcome';
import { Step } from '../constructs/step';
import { Workflow } from '../constructs/workflow';
import { failureInWords, iterationFailed, iterations } from './iterations';
import { answer, choice, expression, is } from './states';

const name = 'register-cluster';

/** Makes a cluster of rejoin.yaml one that Rejoin knows: its first items in the registry, and what its nodes need. */
export class RegisterCluster extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.machine = new Workflow(this, 'Workflow', {
      name,
      comment: 'Enters a cluster in the registry, once both copies of each shard are proved equal and replicated',
      timeout: Duration.hours(4),
      definition: (workflow) => new RegistrationStory(workflow).begin,
    }).machine;
  }
}

/** Each step but the first works on what the first one found. */
const plan = { cluster: '{% $cluster %}', groups: '{% $groups %}' };

/** Nothing is written to the registry before every shard is proved, and until then everything can be undone. */
class RegistrationStory extends Construct {
  readonly begin: IChainable;

  constructor(scope: Construct) {
    super(scope, 'Story');
    const survey = new Step(this, 'SurveyCluster', {
      entry: `${name}/survey-cluster`,
      timeout: Duration.minutes(5),
      reaches: 'databases',
      uses: [executionsRead(name)],
    }).state('Ask each node what it holds', {
      input: { asked: '{% $states.input %}' },
      assign: {
        cluster: '{% $states.input.cluster %}',
        action: answer('action'),
        reason: answer('reason'),
        groups: answer('groups'),
      },
      otherwise: this.ends('Failed', 'failed', failureInWords('failure')),
    });
    const undone = this.undo();
    survey.next(
      choice(this, 'Is there a cluster to be registered?')
        .when(is("$action = 'none'"), this.succeeds('No action needed', 'no action needed', '$reason'))
        .when(is("$action = 'refuse'"), this.ends('Refused', 'refused', '$reason'))
        .otherwise(this.prepare(undone).next(this.enter(undone)).next(this.open())),
    );
    this.begin = survey;
  }

  private prepare(otherwise: State) {
    const one = 'Prepare the copies of some shards';
    const state = new Step(this, 'PrepareShards', {
      entry: `${name}/prepare-shards`,
      timeout: Duration.minutes(15),
      reaches: 'databases',
    }).state(one, {
      input: { cluster: '{% $cluster %}', shards: '{% $states.context.Map.Item.Value %}' },
      otherwise: iterationFailed(this, `${one}: failed`, 'groupFailure'),
      failureVariable: 'groupFailure',
    });
    return iterations(this, {
      name: 'Prepare the copies of each shard',
      items: '{% $groups %}',
      maxConcurrency: 8,
      story: state,
      otherwise: [{ errors: ['States.ALL'], state: otherwise }],
    });
  }

  private enter(otherwise: State) {
    return new Step(this, 'EnterMembers', {
      entry: `${name}/enter-members`,
      timeout: Duration.minutes(1),
      uses: [settingsRead],
    }).state('Enter nodes and shards in the registry', { input: plan, otherwise });
  }

  private open() {
    const half = this.ends(
      'Needs an operator',
      'needs an operator',
      `'the shards are entered, but not all are open: ' & ${failureInWords('failure')} & '; start it again, it goes on from here'`,
    );
    return new Step(this, 'OpenCluster', {
      entry: `${name}/open-cluster`,
      timeout: Duration.minutes(15),
      reaches: 'databases',
    })
      .state('Open the shards and enter the cluster', { input: plan, otherwise: half })
      .next(this.succeeds('Recovered', 'recovered', "'cluster ' & $cluster & ' is registered: ' & $reason"));
  }

  private undo(): State {
    const notUndone = this.ends(
      'Needs an operator: not undone',
      'needs an operator',
      `'the registration failed, ' & ${failureInWords('failure')} & ', and could not be undone: ' & ${failureInWords('undoFailure')}`,
    );
    return new Step(this, 'UndoRegistration', {
      entry: `${name}/undo-registration`,
      timeout: Duration.minutes(15),
      reaches: 'databases',
    })
      .state('Undo the registration', { input: plan, otherwise: notUndone, failureVariable: 'undoFailure' })
      .next(this.ends('Undone', 'undone', failureInWords('failure'))).startState;
  }

  private succeeds(id: string, outcome: Outcome, reason: string): Succeed {
    return Succeed.jsonata(this, id, { outputs: { outcome, reason: expression(reason) } });
  }

  private ends(id: string, outcome: Outcome, cause: string): Fail {
    return Fail.jsonata(this, id, { error: outcome, cause: expression(cause) });
  }
}
