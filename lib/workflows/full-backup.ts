import { Duration } from 'aws-cdk-lib';
import type { IChainable, State, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { DistributedMap, Fail, StateMachineType, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { eventsPublish } from '../../adapters/aws/events.permissions';
import { executionsRead } from '../../adapters/aws/executions.permissions';
import { notificationsPublish } from '../../adapters/aws/notifications.permissions';
import { backupsRead, backupsRemove, backupsWrite } from '../../adapters/aws/objects.permissions';
import { settingsRead } from '../../adapters/aws/settings.permissions';
import type { Outcome } from '../../core/outcome/outcome';
import { Step, type StepProps } from '../constructs/step';
import { Workflow } from '../constructs/workflow';
import { explained, explainFailure } from './explained';
import { failureInWords, iterationFailed, iterations } from './iterations';
import { itemsAt, rowMemoryMiB } from './load-rows';
import { answer, choice, expression, is } from './states';

/** A full backup of one cluster, and the proof that it could be restored. */
export class FullBackup extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.machine = new Workflow(this, 'Workflow', {
      name: 'full-backup',
      comment: 'Backs a cluster up by rows, reads everything back, and removes what is too old',
      timeout: Duration.hours(24),
      definition: (workflow) => new FullBackupStory(workflow).begin,
    }).machine;
  }
}

/** Each step of a backup knows which backup it works on. */
const backup = { cluster: '{% $cluster %}', backup: '{% $backup %}' };

/**
 * Slots first, the manifest last: until it is written there is no backup, and whatever fails is undone. Once the backup is
 * verified it stays, and only what comes after it can fail.
 */
class FullBackupStory extends Construct {
  readonly begin: IChainable;
  private readonly undone: State;

  constructor(scope: Construct) {
    super(scope, 'Story');
    this.undone = this.undo();
    const begin = this.step('BeginBackup', 'full-backup/begin-backup', {
      timeout: Duration.minutes(5),
      uses: [backupsRead, backupsWrite, backupsRemove, executionsRead('full-backup')],
    }).state('Begin the backup', {
      input: { asked: '{% $states.input %}' },
      assign: {
        cluster: '{% $states.input.cluster %}',
        backup: answer('backup'),
        itemsKey: answer('itemsKey'),
        groups: answer('groups'),
        action: answer('action'),
        reason: answer('reason'),
      },
      otherwise: this.ends('Failed', 'failed', failureInWords('failure')),
    });
    const story = this.openSlots()
      .next(this.planChunks())
      .next(this.listChunks())
      .next(this.overChunks('Read the rows', 'Read the rows of a chunk', this.backUpChunk()))
      .next(this.writeManifest())
      .next(this.overChunks('Read the chunks back', 'Read a chunk back', this.verifyChunk()))
      .next(this.judge())
      .next(
        choice(this, 'Could it be restored?')
          .when(is("$verdict.state = 'verified'"), this.tidyUp())
          .otherwise(this.dropSlotsOfDamaged()),
      );
    begin.next(
      choice(this, 'Is there a backup to be made?')
        .when(is("$action = 'none'"), this.succeeds('No action needed', 'no action needed', '$reason'))
        .when(is("$action = 'refuse'"), this.ends('Refused', 'refused', '$reason'))
        .otherwise(story),
    );
    this.begin = begin;
  }

  private openSlots() {
    const step = this.step('OpenSlots', 'full-backup/open-slots', {
      // Opening a slot waits for open write transactions.
      timeout: Duration.minutes(15),
      uses: [backupsRead, backupsWrite],
    });
    return this.overGroups('Open the change slots', 'Open the slots of some shards', step);
  }

  private planChunks() {
    const step = this.step('PlanChunks', 'full-backup/plan-chunks', {
      timeout: Duration.minutes(15),
      memoryMiB: 1_024,
      uses: [backupsRead, backupsWrite],
      codec: true,
    });
    return this.overGroups('Plan the chunks', 'Plan the chunks of some shards', step);
  }

  private listChunks() {
    return this.step('ListChunks', 'full-backup/list-chunks', {
      reaches: 'aws',
      timeout: Duration.minutes(5),
      memoryMiB: 1_024,
      uses: [backupsRead, backupsWrite],
    }).state('List the chunks', { input: backup, otherwise: this.undone });
  }

  private backUpChunk(): Step {
    return this.step('BackUpChunk', 'full-backup/back-up-chunk', {
      timeout: Duration.minutes(15),
      memoryMiB: rowMemoryMiB,
      uses: [backupsRead, backupsWrite],
      codec: true,
    });
  }

  private writeManifest() {
    return this.step('WriteManifest', 'full-backup/write-manifest', {
      reaches: 'aws',
      timeout: Duration.minutes(10),
      memoryMiB: 1_024,
      uses: [backupsRead, backupsWrite],
    }).state('Write the manifest', { input: backup, otherwise: this.undone });
  }

  private verifyChunk(): Step {
    return this.step('VerifyChunk', 'full-backup/verify-chunk', {
      timeout: Duration.minutes(15),
      memoryMiB: rowMemoryMiB,
      uses: [backupsRead, backupsWrite],
      codec: true,
    });
  }

  private judge() {
    return this.step('ConcludeBackup', 'full-backup/conclude-backup', {
      reaches: 'aws',
      timeout: Duration.minutes(10),
      memoryMiB: 1_024,
      uses: [backupsRead, eventsPublish, notificationsPublish],
    }).state('Judge the backup', {
      input: backup,
      assign: { verdict: answer() },
      otherwise: this.undone,
    });
  }

  private tidyUp(): State {
    const notTidy = this.ends(
      'Verified, but not tidied up',
      'failed',
      `'the backup is verified; removing what is too old failed: ' & ${failureInWords('failure')}`,
    );
    const dropPrevious = this.step('DropPreviousSlots', 'full-backup/drop-previous-slots', {
      timeout: Duration.minutes(15),
      memoryMiB: rowMemoryMiB,
      uses: [backupsRead, backupsWrite],
      codec: true,
    }).state('Drop the previous slots', { input: backup, retry: ['LeaseHeld'], otherwise: notTidy });
    const removeOld = this.step('RemoveOld', 'full-backup/remove-old', {
      reaches: 'aws',
      timeout: Duration.minutes(15),
      memoryMiB: 1_024,
      uses: [settingsRead, backupsRead, backupsRemove],
    }).state('Remove what is too old', { input: { cluster: '{% $cluster %}' }, otherwise: notTidy });
    return dropPrevious.next(removeOld).next(this.succeeds('Recovered', 'recovered', '$verdict.reason')).startState;
  }

  private dropSlotsOfDamaged(): State {
    const damaged = this.ends('Damaged', 'failed', "'the backup is damaged: ' & $verdict.reason");
    return this.undoStep
      .state('Drop the slots of the damaged backup', { input: { ...backup, what: 'slots' }, otherwise: damaged })
      .next(damaged).startState;
  }

  private readonly undoStep = this.step('UndoBackup', 'full-backup/undo-backup', {
    timeout: Duration.minutes(10),
    uses: [backupsRead, backupsRemove],
  });

  private readonly explain = explainFailure(this);

  private undo(): State {
    const notUndone = this.ends(
      'Needs an operator',
      'needs an operator',
      `'the backup failed, ' & ${failureInWords('failure')} & ', and could not be undone: ' & ${failureInWords('undoFailure')}`,
    );
    return this.undoStep
      .state('Undo the backup', {
        input: { ...backup, what: 'everything' },
        otherwise: notUndone,
        failureVariable: 'undoFailure',
      })
      .next(this.ends('Undone', 'undone', failureInWords('failure'))).startState;
  }

  private step(id: string, entry: string, props: Omit<StepProps, 'entry'>): Step {
    return new Step(this, id, { entry, reaches: 'databases', ...props });
  }

  private overGroups(name: string, one: string, step: Step) {
    const state = step.state(one, {
      input: { ...backup, shards: '{% $states.context.Map.Item.Value %}' },
      otherwise: iterationFailed(this, `${one}: failed`, 'groupFailure'),
      failureVariable: 'groupFailure',
    });
    return iterations(this, {
      name,
      items: '{% $groups %}',
      maxConcurrency: 8,
      story: state,
      otherwise: [{ errors: ['States.ALL'], state: this.undone }],
    });
  }

  /** A distributed map over all chunks, each in an execution of its own, which sees no variables of ours. */
  private overChunks(name: string, one: string, step: Step): DistributedMap {
    const place = new Construct(this, `${name} (map)`);
    const state = step.state(one, {
      input: {
        cluster: '{% $states.input.cluster %}',
        backup: '{% $states.input.backup %}',
        chunk: '{% $states.input.chunk %}',
      },
      output: '{% null %}',
      otherwise: iterationFailed(place, `${one}: failed`, 'chunkFailure'),
      failureVariable: 'chunkFailure',
    });
    const map = DistributedMap.jsonata(place, name, {
      itemReader: itemsAt(place, '{% $itemsKey %}'),
      itemSelector: { ...backup, chunk: '{% $states.context.Map.Item.Value %}' },
      // The rows come from nodes that serve.
      maxConcurrency: 16,
      mapExecutionType: StateMachineType.STANDARD,
      outputs: '{% null %}',
    });
    map.itemProcessor(state);
    explained(map, this.explain, {
      name: `${name}: find out why not`,
      folder: "{% $cluster & '/' & $backup & '/notes/failed/' %}",
      otherwise: this.undone,
    });
    return map;
  }

  private succeeds(name: string, outcome: Outcome, reason: string): Succeed {
    return Succeed.jsonata(this, name, { outputs: { outcome, reason: expression(reason) } });
  }

  private ends(name: string, outcome: Outcome, cause: string): Fail {
    return Fail.jsonata(this, name, { error: outcome, cause: expression(cause) });
  }
}
