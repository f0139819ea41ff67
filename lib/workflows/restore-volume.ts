import { Duration } from 'aws-cdk-lib';
import type { INextable, State } from 'aws-cdk-lib/aws-stepfunctions';
import { Pass } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { hostCommandsResult, hostCommandsSend } from '../../adapters/aws/host-commands.permissions';
import { machinesObserve, machinesSnapshot } from '../../adapters/aws/machines.permissions';
import { backupsRead, backupsWrite } from '../../adapters/aws/objects.permissions';
import { Step } from '../constructs/step';
import { answer, choice, expression, is, pause } from './states';

export interface RestoreVolumeProps {
  /** Where every error leads; it finds `{Error, Cause}` in `$failure`. */
  readonly otherwise: State;
  /** Where the launch of the replacement begins. */
  readonly launch: State;
}

/** A first snapshot of a large volume takes an hour; a command on a machine, minutes; the log of a day, an hour. */
const tries = { snapshot: 480, volume: 60, catchUp: 240 } as const;
/** Work that is handed on from call to call: each takes at most 15 minutes, all of them 4 hours. */
const maxTurns = 16;

/**
 * Restores a node of a replicated cluster: the volume of a snapshot, the log since then, and the proof by content that it
 * has every row of its primary. Reads the variables `$cluster`, `$nodeId`, `$replacement` and `$strategy`; leaves `$restored`.
 */
export class RestoreVolume extends Construct {
  /** Before the launch: takes a snapshot where a replicated cluster has none to restore from. */
  readonly beforeLaunch: State;
  readonly start: State;
  readonly end: State & INextable;
  private readonly otherwise: State;

  constructor(scope: Construct, id: string, props: RestoreVolumeProps) {
    super(scope, id);
    this.otherwise = props.otherwise;
    this.beforeLaunch = this.snapshotFirst(props.launch);
    const restore = this.restoreVolume();
    const catchUp = this.catchUp();
    const compare = this.compareRows();
    const begin = Pass.jsonata(this, 'Prepare the volume', {
      assign: { volumeTries: 0, volumeCommand: null, catchUpTries: 0, logFrom: null, comparison: null, turn: 0 },
    });
    this.end = Pass.jsonata(this, 'The standby is proved equal', {
      assign: {
        restored: {
          workKey: null,
          rows: null,
          bytes: null,
          chunks: null,
          damagedChunks: null,
          passes: [],
          rowsRepaired: 0,
          comparedRows: expression('$comparison.rows'),
          slots: expression('[$standbySlot]'),
        },
      },
    });
    begin.next(restore);
    restore.next(
      choice(
        this,
        'Is the volume restored?',
        tooLong("'the volume of ' & $replacement.nodeId & ' is not restored: ' & $volumeReason"),
      )
        .when(is('$volumeDone'), catchUp)
        .when(
          is(`$volumeTries < ${tries.volume}`),
          pause(this, 'Wait for the volume', '$volumeTries', 10).next(restore),
        )
        .otherwise(this.otherwise),
    );
    catchUp.next(
      choice(this, 'Has it caught up?', tooLong('$catchUpReason'))
        .when(is('$caughtUp'), compare)
        .when(
          is(`$catchUpTries < ${tries.catchUp}`),
          pause(this, 'Wait for the log', '$catchUpTries', 15).next(catchUp),
        )
        .otherwise(this.otherwise),
    );
    compare.next(
      choice(
        this,
        'Is every row the same?',
        tooLong(
          "$comparison.next != null ? 'the rows are not compared after 4 hours' : $string($comparison.differing) & ' rows of ' & $replacement.nodeId & ' differ from those of its primary, ' & $string($comparison.unproved) & ' of them not proved either way'",
        ),
      )
        .when(is(`$comparison.next != null and $turn < ${maxTurns}`), compare)
        .when(is('$comparison.next = null and $comparison.differing = 0'), this.end)
        .otherwise(this.otherwise),
    );
    this.start = begin;
  }

  private snapshotFirst(launch: State): State {
    const step = new Step(this, 'TakeSnapshot', {
      entry: 'machines/take-snapshot',
      timeout: Duration.seconds(30),
      uses: [machinesObserve, machinesSnapshot],
    });
    const take = step.state('Take a snapshot of a living node', {
      input: {
        cluster: '{% $cluster %}',
        nodeId: '{% $nodeId %}',
        strategy: '{% $strategy %}',
        snapshotId: '{% $snapshotId %}',
        attempt: '{% $snapshotTries %}',
      },
      assign: {
        snapshotId: answer('snapshotId'),
        snapshotReady: answer('ready'),
        strategy: answer('strategy'),
        snapshotTries: '{% $snapshotTries + 1 %}',
      },
      otherwise: this.otherwise,
    });
    take.next(
      choice(this, 'Is the snapshot there?', tooLong("'snapshot ' & $snapshotId & ' was not ready in time'"))
        .when(is('$snapshotReady'), launch)
        .when(
          is(`$snapshotTries < ${tries.snapshot}`),
          pause(this, 'Wait for the snapshot', '$snapshotTries', 15).next(take),
        )
        .otherwise(this.otherwise),
    );
    return choice(this, 'Is there something to restore from?')
      .when(is("$layout = 'replicated' and $strategy.kind != 'volume snapshot'"), take)
      .otherwise(launch);
  }

  private restoreVolume() {
    const step = new Step(this, 'RestoreVolume', {
      entry: 'machines/restore-volume',
      timeout: Duration.seconds(30),
      uses: [hostCommandsSend, hostCommandsResult],
    });
    return step.state('Restore the volume', {
      input: {
        replacement: '{% $replacement %}',
        strategy: '{% $strategy %}',
        sent: '{% $volumeCommand %}',
        attempt: '{% $volumeTries %}',
      },
      assign: {
        volumeDone: answer('done'),
        volumeCommand: answer('sent'),
        volumeReason: answer('reason'),
        volumeTries: '{% $volumeTries + 1 %}',
      },
      otherwise: this.otherwise,
    });
  }

  private catchUp() {
    const step = new Step(this, 'CatchUpStandby', {
      entry: 'node-recovery/catch-up-standby',
      timeout: Duration.seconds(30),
      reaches: 'databases',
    });
    return step.state('Catch up with the log', {
      input: { cluster: '{% $cluster %}', replacement: '{% $replacement %}', from: '{% $logFrom %}' },
      assign: {
        caughtUp: answer('caughtUp'),
        logFrom: answer('from'),
        standbySlot: answer('slot'),
        catchUpReason: answer('reason'),
        catchUpTries: '{% $catchUpTries + 1 %}',
      },
      otherwise: this.otherwise,
    });
  }

  private compareRows() {
    const step = new Step(this, 'CompareStandby', {
      entry: 'node-recovery/compare-standby',
      timeout: Duration.minutes(15),
      memoryMiB: 512,
      reaches: 'databases',
      uses: [backupsRead, backupsWrite],
    });
    return step.state('Compare all rows with the primary', {
      input: {
        cluster: '{% $cluster %}',
        execution: '{% $states.context.Execution.Name %}',
        replacement: '{% $replacement %}',
        slot: '{% $standbySlot %}',
        soFar: '{% $comparison %}',
      },
      assign: {
        comparison: answer('comparison'),
        withoutKey: answer('withoutKey'),
        turn: '{% $turn + 1 %}',
      },
      otherwise: this.otherwise,
    });
  }
}

function tooLong(cause: string): Record<string, unknown> {
  return { failure: { Error: 'NotProved', Cause: expression(cause) } };
}
