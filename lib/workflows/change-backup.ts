import { Duration } from 'aws-cdk-lib';
import type { IChainable, State, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Fail, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { executionsRead, executionsStart } from '../../adapters/aws/executions.permissions';
import { metricsPublish } from '../../adapters/aws/metrics.permissions';
import { backupsRead, backupsWrite } from '../../adapters/aws/objects.permissions';
import { settingsRead } from '../../adapters/aws/settings.permissions';
import type { Outcome } from '../../core/outcome/outcome';
import { Step } from '../constructs/step';
import { Workflow } from '../constructs/workflow';
import { failureInWords, iterationFailed, iterations } from './iterations';
import { rowMemoryMiB } from './load-rows';
import { answer, choice, expression, is } from './states';

/** Captures the changes of one cluster to object storage, each minute. */
export class ChangeBackup extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.machine = new Workflow(this, 'Workflow', {
      name: 'change-backup',
      comment: 'Captures the changes of a cluster to object storage; starts a full backup where a lineage ended',
      // Less than the capture lease is taken for.
      timeout: Duration.minutes(10),
      definition: (workflow) => new ChangeBackupStory(workflow).begin,
    }).machine;
  }
}

class ChangeBackupStory extends Construct {
  readonly begin: IChainable;

  constructor(scope: Construct) {
    super(scope, 'Story');
    const begin = new Step(this, 'BeginCapture', {
      entry: 'change-backup/begin-capture',
      timeout: Duration.seconds(30),
      uses: [settingsRead],
    }).state('Begin the capture', {
      input: { asked: '{% $states.input %}' },
      assign: {
        cluster: '{% $states.input.cluster %}',
        action: answer('action'),
        reason: answer('reason'),
        lease: answer('lease'),
        groups: answer('groups'),
      },
      otherwise: this.ends('Failed to begin', 'failed', failureInWords('failure')),
    });
    const released = this.release();
    const conclude = new Step(this, 'ConcludeCapture', {
      entry: 'change-backup/conclude-capture',
      timeout: Duration.seconds(30),
      uses: [executionsStart('full-backup'), executionsRead('node-recovery'), metricsPublish],
    }).state('Conclude the capture', {
      input: {
        cluster: '{% $cluster %}',
        lease: '{% $lease %}',
        captured: '{% $captured %}',
      },
      assign: { concluded: answer() },
      otherwise: released,
    });
    begin.next(
      choice(this, 'Is there something to capture?')
        .when(is("$action = 'none'"), this.succeeds('No action needed', 'no action needed', '$reason'))
        .otherwise(this.capture(released).next(conclude)),
    );
    conclude.next(
      choice(this, 'Was everything captured?')
        .when(is('$concluded.ok'), this.succeeds('Recovered', 'recovered', '$concluded.reason'))
        .otherwise(this.ends('Not everything was captured', 'failed', '$concluded.reason')),
    );
    this.begin = begin;
  }

  private capture(otherwise: State) {
    const state = new Step(this, 'CaptureChanges', {
      entry: 'change-backup/capture-changes',
      timeout: Duration.minutes(5),
      memoryMiB: rowMemoryMiB,
      reaches: 'databases',
      uses: [backupsRead, backupsWrite],
      codec: true,
    }).state('Capture the changes of some shards', {
      input: {
        cluster: '{% $cluster %}',
        lease: '{% $lease %}',
        slots: '{% $states.context.Map.Item.Value %}',
      },
      otherwise: iterationFailed(this, 'The changes of some shards were not captured', 'groupFailure'),
      failureVariable: 'groupFailure',
    });
    return iterations(this, {
      name: 'Capture the changes',
      items: '{% $groups %}',
      maxConcurrency: 16,
      story: state,
      assign: { captured: '{% [$states.result.captured] %}' },
      otherwise: [{ errors: ['States.ALL'], state: otherwise }],
    });
  }

  /** A lease that is kept would hold up the captures of the next minutes. */
  private release(): State {
    const failed = this.ends('Failed', 'failed', failureInWords('failure'));
    return new Step(this, 'ReleaseLease', { entry: 'machines/release-lease', timeout: Duration.seconds(20) })
      .state('Give the capture lease back', {
        input: { lease: '{% $lease %}' },
        otherwise: failed,
        failureVariable: 'leaseFailure',
      })
      .next(failed).startState;
  }

  private succeeds(name: string, outcome: Outcome, reason: string): Succeed {
    return Succeed.jsonata(this, name, { outputs: { outcome, reason: expression(reason) } });
  }

  private ends(name: string, outcome: Outcome, cause: string): Fail {
    return Fail.jsonata(this, name, { error: outcome, cause: expression(cause) });
  }
}
