import { Duration } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { State } from 'aws-cdk-lib/aws-stepfunctions';
import { DistributedMap, JitterType, Pass, S3JsonItemReader, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { backupsRead, backupsWrite } from '../../adapters/aws/objects.permissions';
import { loadConcurrency } from '../../core/restore/choose-rows';
import { Step } from '../constructs/step';
import { surroundingsOf } from '../constructs/surroundings';
import { Workflow } from '../constructs/workflow';
import { explained, explainFailure } from './explained';
import { iterationFailed } from './iterations';
import { choice, is } from './states';

/** Rows are compressed, decompressed and copied: this much memory comes with a whole processor. */
export const rowMemoryMiB = 1_769;

/**
 * 'Load the backup rows': a distributed map over the items that were chosen, one chunk an execution. A chunk that stays
 * damaged is replaced by its range of the survivor.
 */
export function loadRows(scope: Construct, otherwise: State): DistributedMap {
  const place = new Construct(scope, 'LoadRows');
  const step = new Step(place, 'LoadChunk', {
    entry: 'restore/load-chunk',
    timeout: Duration.minutes(15),
    memoryMiB: rowMemoryMiB,
    reaches: 'databases',
    uses: [backupsRead, backupsWrite],
    codec: true,
  });
  const failed = iterationFailed(place, 'A chunk could not be loaded', 'chunkFailure');
  const input = {
    cluster: '{% $order.cluster %}',
    execution: '{% $order.execution %}',
    attempt: '{% $order.attempt %}',
    replacement: '{% $order.replacement %}',
    item: '{% $order.item %}',
  };
  const fromSurvivor = step.state('Load the rows from the survivor', {
    input: { ...input, from: 'survivor' },
    output: '{% null %}',
    otherwise: failed,
    failureVariable: 'chunkFailure',
  });
  const load = step.state('Load a chunk', {
    input: { ...input, from: 'the item' },
    output: '{% null %}',
    otherwise: choice(place, 'Is the chunk damaged?')
      .when(is("$chunkFailure.Error = 'ChunkDamaged'"), fromSurvivor)
      .otherwise(failed),
    failureVariable: 'chunkFailure',
  });
  // Damage on the way passes; damage in storage does not, and the survivor is waiting: 3 tries in all.
  load.addRetry({
    errors: ['ChunkDamaged'],
    interval: Duration.seconds(1),
    backoffRate: 2,
    maxAttempts: 2,
    maxDelay: Duration.seconds(30),
    jitterStrategy: JitterType.FULL,
  });
  // What a caught error leads to does not see the item any more, unless a variable has it.
  const take = Pass.jsonata(place, 'Take a chunk', {
    assign: { order: '{% $states.input %}' },
  });
  const map = DistributedMap.jsonata(place, 'Load the backup rows', {
    itemReader: itemsAt(place, '{% $work.itemsKey %}'),
    // The executions of a distributed map see no variables of ours.
    itemSelector: {
      cluster: '{% $cluster %}',
      execution: '{% $states.context.Execution.Name %}',
      attempt: '{% $attempt %}',
      replacement: '{% $replacement %}',
      item: '{% $states.context.Map.Item.Value %}',
    },
    maxConcurrency: loadConcurrency,
    mapExecutionType: StateMachineType.STANDARD,
    outputs: '{% null %}',
  });
  map.itemProcessor(take.next(load));
  explained(map, explainFailure(place), {
    name: 'Find out why a chunk was not loaded',
    folder: "{% $cluster & '/runs/' & $states.context.Execution.Name & '/failed/' %}",
    otherwise,
  });
  return map;
}

/** The items of a distributed map: a list in the backups bucket. @param key an expression */
export function itemsAt(scope: Construct, key: string): S3JsonItemReader {
  const { names } = surroundingsOf(scope);
  const bucket = Bucket.fromBucketArn(scope, 'Backups', names.backupsBucketArn);
  Workflow.of(scope).allow({ sid: 'DecryptItems', actions: ['kms:Decrypt'], resources: [names.keyArn] });
  return new S3JsonItemReader({ bucket, key });
}
