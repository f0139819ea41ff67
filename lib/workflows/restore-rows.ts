import { Duration } from 'aws-cdk-lib';
import type { INextable, Map as InlineMap, State } from 'aws-cdk-lib/aws-stepfunctions';
import { Pass } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { backupsRead, backupsWrite } from '../../adapters/aws/objects.permissions';
import { settingsRead } from '../../adapters/aws/settings.permissions';
import { Step } from '../constructs/step';
import { beginTurns, iterationDone, iterationFailed, iterations, outOfTurns } from './iterations';
import type { IterationsProps } from './iterations';
import { loadRows, rowMemoryMiB } from './load-rows';
import { choice, is, wait } from './states';

export interface RestoreRowsProps {
  /** Where every error leads; it finds `{Error, Cause}` in `$failure`. */
  readonly otherwise: State;
}

/** Work that is handed on from call to call: each takes at most 15 minutes, all of them 4 hours. */
const maxTurns = 16;
/** A call watches builds for 20 s, and 15 s pass between calls: 4 hours. */
const maxBuildTurns = 410;

/**
 * Restores a node's rows, from 'Choose the rows to restore' to the proof that they are in sync. Reads the variables
 * `$cluster`, `$replacement`, `$strategy`, `$shards` and, for those that only a backup has, `$lostShards`; leaves
 * `$restored`.
 *
 * Rows first, then the keys that changes need, then changes pass after pass, then the comparison. Foreign keys, unique
 * constraints and triggers come last: until the comparison has repaired what a lineage's gap left out, rows may break them.
 */
export class RestoreRows extends Construct {
  readonly start: State;
  readonly end: State & INextable;
  private readonly otherwise: State;
  private readonly restart: State & INextable;
  /** What every step that writes to the replacement is told. */
  private readonly target = { cluster: '{% $cluster %}', replacement: '{% $replacement %}' };

  constructor(scope: Construct, id: string, props: RestoreRowsProps) {
    super(scope, id);
    this.otherwise = props.otherwise;
    this.restart = this.restartShards();
    const start = Pass.jsonata(this, 'Prepare the restore', {
      assign: {
        attempt: 1,
        reload: '{% $shards %}',
        reloadLost: '{% $lostShards %}',
        keptSlots: [],
        passes: [],
        passHistory: [],
        seriesFrom: 0,
        round: 1,
        rowsRepaired: 0,
        comparedRows: 0,
        finished: false,
      },
    });
    const chooseRows = this.chooseRows();
    const capturePass = this.capturePass();
    const compareRows = this.compareRows();
    const repairRows = this.repairRows();
    const finishTables = this.finishTables();
    const measure = this.measurePass();
    const judge = this.judgeComparison();
    const loaded = Pass.jsonata(this, 'Rows are loaded', {});
    const sumUp = this.sumUp();

    start.next(chooseRows).next(this.openSlots()).next(this.createTables()).next(this.ifChunks(loaded));
    loaded
      .next(this.buildIndexes())
      .next(this.replaySegments())
      .next(
        choice(this, 'Are there passes to make?')
          .when(is("'passes' in $work.ablated"), sumUp)
          // Nobody has what only a backup had: nothing comes after it, and there is nothing to compare it with.
          .when(is('$count($slots) = 0'), finishTables)
          .otherwise(capturePass),
      );
    capturePass
      .next(measure)
      .next(
        choice(this, 'Is it in sync?')
          .when(is("$passDecision = 'another pass'"), capturePass)
          .when(is('$finished'), sumUp)
          .otherwise(compareRows),
      );
    compareRows
      .next(judge)
      .next(
        choice(this, 'Are all rows equal?')
          .when(is("$comparison.action = 'in sync'"), finishTables)
          .otherwise(repairRows),
      );
    repairRows.next(capturePass);
    finishTables.next(
      choice(this, 'Is there a survivor to go on with?').when(is('$count($slots) = 0'), sumUp).otherwise(capturePass),
    );
    this.restart.next(chooseRows);
    this.start = start;
    this.end = sumUp;
  }

  /** A slot that is lost in the middle of it makes its shard start again. */
  private eachOf(props: Omit<IterationsProps, 'otherwise'>): InlineMap {
    return iterations(this, {
      ...props,
      otherwise: [
        { errors: ['SlotLost'], state: this.restart },
        { errors: ['States.ALL'], state: this.otherwise },
      ],
    });
  }

  private chooseRows() {
    const step = new Step(this, 'ChooseRows', {
      entry: 'restore/choose-rows',
      // Cutting the survivors' tables into ranges reads them, where there is no usable backup.
      timeout: Duration.minutes(15),
      memoryMiB: 1_024,
      reaches: 'databases',
      uses: [backupsRead, backupsWrite],
    });
    return step.state('Choose the rows to restore', {
      input: {
        cluster: '{% $cluster %}',
        execution: '{% $states.context.Execution.Name %}',
        strategy: '{% $strategy %}',
        replacement: '{% $replacement %}',
        shards: '{% $reload %}',
        lost: '{% $reloadLost %}',
        attempt: '{% $attempt %}',
      },
      assign: { work: '{% $states.result.Payload %}' },
      otherwise: this.otherwise,
    });
  }

  private openSlots() {
    const step = new Step(this, 'OpenSlots', {
      entry: 'restore/open-slots',
      timeout: Duration.seconds(120),
      memoryMiB: rowMemoryMiB,
      reaches: 'databases',
      uses: [backupsRead, backupsWrite],
      codec: true,
    });
    return step.state('Open the change slots', {
      input: {
        cluster: '{% $cluster %}',
        workKey: '{% $work.workKey %}',
        attempt: '{% $attempt %}',
        kept: '{% $keptSlots %}',
      },
      assign: { slots: '{% $states.result.Payload.slots %}' },
      otherwise: this.otherwise,
    });
  }

  private createTables() {
    const step = new Step(this, 'CreateTables', {
      entry: 'restore/create-tables',
      timeout: Duration.seconds(120),
      reaches: 'databases',
      uses: [backupsRead],
    });
    const failed = iterationFailed(this, 'Tables of a shard could not be created', 'shardFailure');
    const state = step.state('Create the tables of a shard', {
      input: {
        ...this.target,
        workKey: '{% $work.workKey %}',
        shard: '{% $states.context.Map.Item.Value %}',
        attempt: '{% $attempt %}',
      },
      otherwise: failed,
      failureVariable: 'shardFailure',
    });
    return this.eachOf({ name: 'Create the tables', items: '{% $work.shards %}', maxConcurrency: 8, story: state });
  }

  /** A restore from a snapshot has no rows to load. */
  private ifChunks(loaded: Pass) {
    const load = loadRows(this, this.otherwise);
    load.next(loaded);
    return choice(this, 'Are there rows to load?').when(is('$work.chunks > 0'), load).otherwise(loaded);
  }

  private buildIndexes() {
    const step = new Step(this, 'BuildIndexes', {
      entry: 'restore/build-indexes',
      timeout: Duration.seconds(120),
      reaches: 'databases',
      uses: [backupsRead],
    });
    const failed = iterationFailed(this, 'Keys and indexes of a shard could not be built', 'shardFailure');
    const build = step.state('Build keys and indexes of a shard', {
      input: {
        ...this.target,
        workKey: '{% $work.workKey %}',
        shard: '{% $states.context.Map.Item.Value %}',
        attempt: '{% $attempt %}',
        turn: '{% $turn %}',
      },
      assign: { turn: '{% $turn + 1 %}', built: '{% $states.result.Payload.done %}' },
      otherwise: failed,
      failureVariable: 'shardFailure',
    });
    const later = wait(this, 'Wait for the builds', Duration.seconds(15));
    later.next(build);
    const story = beginTurns(this, 'Begin the builds of a shard')
      .next(build)
      .next(
        choice(this, 'Are they built?')
          .when(is('$built'), iterationDone(this, 'Keys and indexes are built'))
          .when(is(`$turn >= ${maxBuildTurns}`), outOfTurns(this, 'Building took more than 4 hours'))
          .otherwise(later),
      );
    return this.eachOf({ name: 'Build keys and indexes', items: '{% $work.shards %}', maxConcurrency: 4, story });
  }

  private replaySegments() {
    const step = new Step(this, 'ReplaySegments', {
      entry: 'restore/replay-segments',
      timeout: Duration.minutes(15),
      memoryMiB: rowMemoryMiB,
      reaches: 'databases',
      uses: [backupsRead],
      codec: true,
    });
    const replay = step.state('Replay the segments of a shard', {
      input: {
        ...this.target,
        workKey: '{% $work.workKey %}',
        shard: '{% $states.context.Map.Item.Value %}',
        attempt: '{% $attempt %}',
        turn: '{% $turn %}',
      },
      assign: { turn: '{% $turn + 1 %}', replayed: '{% $states.result.Payload.done %}' },
      otherwise: iterationFailed(this, 'Segments of a shard could not be replayed', 'shardFailure'),
      failureVariable: 'shardFailure',
    });
    const story = beginTurns(this, 'Begin the replay of a shard')
      .next(replay)
      .next(
        choice(this, 'Are all segments replayed?')
          .when(is('$replayed'), iterationDone(this, 'Segments are replayed'))
          .when(is(`$turn >= ${maxTurns}`), outOfTurns(this, 'Replaying took more than 4 hours'))
          .otherwise(replay),
      );
    return this.eachOf({ name: 'Replay the stored segments', items: '{% $work.shards %}', maxConcurrency: 16, story });
  }

  private capturePass(): InlineMap {
    const step = new Step(this, 'CapturePass', {
      entry: 'restore/capture-pass',
      timeout: Duration.minutes(15),
      memoryMiB: rowMemoryMiB,
      reaches: 'databases',
    });
    const state = step.state('Capture and apply a pass over a shard', {
      input: {
        ...this.target,
        slot: '{% $states.context.Map.Item.Value %}',
        pass: '{% $count($passes) + 1 %}',
      },
      otherwise: iterationFailed(this, 'A pass over a shard failed', 'shardFailure'),
      failureVariable: 'shardFailure',
    });
    return this.eachOf({
      name: 'Capture and apply a pass',
      items: '{% $slots %}',
      maxConcurrency: 16,
      story: state,
      assign: { measured: '{% $states.result %}' },
    });
  }

  private measurePass() {
    const step = new Step(this, 'MeasurePasses', {
      entry: 'restore/measure-passes',
      timeout: Duration.seconds(20),
      uses: [settingsRead],
    });
    return step.state('Measure the pass', {
      input: {
        cluster: '{% $cluster %}',
        measured: '{% $measured %}',
        history: '{% $passHistory %}',
        passes: '{% $passes %}',
        seriesFrom: '{% $seriesFrom %}',
      },
      assign: {
        passDecision: '{% $states.result.Payload.action %}',
        passHistory: '{% $states.result.Payload.history %}',
        passes: '{% $states.result.Payload.passes %}',
      },
      otherwise: this.otherwise,
    });
  }

  private compareRows(): InlineMap {
    const step = new Step(this, 'CompareRows', {
      entry: 'restore/compare-rows',
      timeout: Duration.minutes(15),
      memoryMiB: rowMemoryMiB,
      reaches: 'databases',
      uses: [backupsRead, backupsWrite],
    });
    const compare = step.state('Compare rows of a shard', {
      input: {
        ...this.target,
        execution: '{% $states.context.Execution.Name %}',
        slot: '{% $states.context.Map.Item.Value %}',
        attempt: '{% $attempt %}',
        round: '{% $round %}',
        soFar: '{% $soFar %}',
      },
      assign: { turn: '{% $turn + 1 %}', soFar: '{% $states.result.Payload %}' },
      otherwise: iterationFailed(this, 'Rows of a shard could not be compared', 'shardFailure'),
      failureVariable: 'shardFailure',
    });
    const story = beginTurns(this, 'Begin the comparison of a shard', { soFar: '{% null %}' })
      .next(compare)
      .next(
        choice(this, 'Are all ranges compared?')
          .when(is('$soFar.next = null'), iterationDone(this, 'A shard is compared', '{% $soFar %}'))
          .when(is(`$turn >= ${maxTurns}`), outOfTurns(this, 'Comparing took more than 4 hours'))
          .otherwise(compare),
      );
    return this.eachOf({
      name: 'Compare rows with the survivor',
      items: '{% $slots %}',
      maxConcurrency: 8,
      story,
      assign: { compared: '{% $states.result %}' },
    });
  }

  private judgeComparison() {
    const step = new Step(this, 'JudgeComparison', {
      entry: 'restore/judge-comparison',
      timeout: Duration.seconds(20),
    });
    return step.state('Judge the comparison', {
      input: { round: '{% $round %}', compared: '{% $compared %}' },
      assign: {
        comparison: '{% $states.result.Payload %}',
        comparedRows: '{% $round = 1 ? $states.result.Payload.rows : $comparedRows %}',
      },
      otherwise: this.otherwise,
    });
  }

  private repairRows(): InlineMap {
    const step = new Step(this, 'RepairRows', {
      entry: 'restore/repair-rows',
      timeout: Duration.minutes(15),
      memoryMiB: 1_024,
      reaches: 'databases',
      uses: [backupsRead],
    });
    const repair = step.state('Repair unequal rows of a shard', {
      input: {
        ...this.target,
        execution: '{% $states.context.Execution.Name %}',
        slot: '{% $states.context.Map.Item.Value %}',
        attempt: '{% $attempt %}',
        round: '{% $round %}',
        next: '{% $repair.next %}',
        repaired: '{% $repair.repaired %}',
      },
      assign: { turn: '{% $turn + 1 %}', repair: '{% $states.result.Payload %}' },
      otherwise: iterationFailed(this, 'Rows of a shard could not be repaired', 'shardFailure'),
      failureVariable: 'shardFailure',
    });
    const story = beginTurns(this, 'Begin the repair of a shard', { repair: { next: 0, repaired: 0 } })
      .next(repair)
      .next(
        choice(this, 'Are all rows repaired?')
          .when(is('$repair.next = null'), iterationDone(this, 'A shard is repaired', '{% $repair %}'))
          .when(is(`$turn >= ${maxTurns}`), outOfTurns(this, 'Repairing took more than 4 hours'))
          .otherwise(repair),
      );
    return this.eachOf({
      name: 'Repair unequal rows',
      items: '{% $slots %}',
      maxConcurrency: 8,
      story,
      assign: {
        rowsRepaired: '{% $rowsRepaired + $sum($states.result.repaired) %}',
        round: '{% $round + 1 %}',
        ...newSeries,
      },
    });
  }

  private finishTables() {
    const step = new Step(this, 'FinishTables', {
      entry: 'restore/finish-tables',
      timeout: Duration.minutes(15),
      reaches: 'databases',
      uses: [backupsRead],
    });
    const state = step.state('Finish the tables of a shard', {
      input: {
        ...this.target,
        execution: '{% $states.context.Execution.Name %}',
        shard: '{% $states.context.Map.Item.Value %}',
        attempt: '{% $attempt %}',
      },
      otherwise: iterationFailed(this, 'Tables of a shard could not be finished', 'shardFailure'),
      failureVariable: 'shardFailure',
    });
    return this.eachOf({
      name: 'Finish the tables',
      items: '{% $append($map($slots, function($slot) { $slot.shard }), $lostShards) %}',
      maxConcurrency: 4,
      story: state,
      assign: { finished: true, ...newSeries },
    });
  }

  private restartShards() {
    const step = new Step(this, 'RestartShards', {
      entry: 'restore/restart-shards',
      timeout: Duration.minutes(5),
      reaches: 'databases',
    });
    return step.state('Start the lost shards again', {
      input: {
        ...this.target,
        slots: '{% $slots %}',
        attempt: '{% $attempt %}',
        cause: '{% $failure.Cause %}',
      },
      assign: {
        attempt: '{% $states.result.Payload.attempt %}',
        reload: '{% $states.result.Payload.shards %}',
        keptSlots: '{% $states.result.Payload.kept %}',
        reloadLost: [],
        round: 1,
        finished: false,
        ...newSeries,
      },
      otherwise: this.otherwise,
    });
  }

  private sumUp() {
    const step = new Step(this, 'SumUpRows', {
      entry: 'restore/sum-up-rows',
      timeout: Duration.seconds(60),
      uses: [backupsRead],
    });
    return step.state('Sum up the restored rows', {
      input: {
        cluster: '{% $cluster %}',
        execution: '{% $states.context.Execution.Name %}',
        passes: '{% $passes %}',
        slots: '{% $slots %}',
        rowsRepaired: '{% $rowsRepaired %}',
        comparedRows: '{% $comparedRows %}',
      },
      assign: { restored: '{% $states.result.Payload %}' },
      otherwise: this.otherwise,
    });
  }
}

/** Passes after a repair or a restart are measured on their own. */
const newSeries = { passHistory: [], seriesFrom: '{% $count($passes) %}' };
