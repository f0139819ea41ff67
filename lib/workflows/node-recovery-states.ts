import { Fail, Map, Pass, ProvideItems } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { NodeRecoveryEndings } from './node-recovery-endings';
import type { NodeRecoverySteps } from './node-recovery-steps';
import { answer, choice, expression, forEach, is, pause } from './states';

/** How often somebody else is waited for. */
export const tries = { lease: 20, leaseAgain: 40, stop: 20, machine: 40, managed: 120, moves: 3 } as const;

/** The longest that shards may take to hand over and to move. */
const leaseSeconds = { fence: 900, handOver: 3_600 } as const;

const subject = { cluster: '{% $cluster %}', nodeId: '{% $nodeId %}' };

/** The states that call the steps of a recovery, each with what it asks for, what it leaves, and where its failure leads. */
export function nodeRecoveryStates(scope: Construct, steps: NodeRecoverySteps, endings: NodeRecoveryEndings) {
  return {
    ...decisionStates(steps, endings),
    ...fenceStates(scope, steps, endings),
    ...plannedStates(scope, steps, endings),
    ...lostStates(scope, steps, endings),
    ...replacementStates(steps, endings),
    ...joiningStates(scope, steps, endings),
  };
}

function decisionStates(steps: NodeRecoverySteps, { failedEarly, undoIfLaunched }: NodeRecoveryEndings) {
  const confirm = steps.confirmFailure.state('Confirm the failure with a second witness', {
    input: { asked: '{% $asked %}' },
    otherwise: failedEarly,
  });
  const decide = steps.decideRecovery.state('Decide what to do', {
    input: {
      ...subject,
      trigger: '{% $trigger %}',
      acceptLossSeconds: '{% $acceptLossSeconds %}',
      planned: '{% $planned %}',
      confirmation: '{% $states.input %}',
    },
    assign: {
      action: answer('action'),
      layout: answer('layout'),
      actionReason: answer('reason'),
      strategy: answer('strategy'),
      shards: answer('shards'),
      lost: answer('lost'),
      lostShards: expression('[$states.result.Payload.lost.shard]'),
      otherPrimaries: answer('otherPrimaries'),
    },
    otherwise: failedEarly,
  });
  const takeLease = steps.takeLease.state('Take the lease', {
    input: { cluster: '{% $cluster %}', name: '', durationSeconds: leaseSeconds.fence, attempt: '{% $leaseTries %}' },
    assign: { lease: answer('lease'), leaseReason: answer('reason'), leaseTries: '{% $leaseTries + 1 %}' },
    otherwise: undoIfLaunched,
  });
  return { confirm, decide, takeLease };
}

const fenceOfReplaced = {
  ...subject,
  trigger: '{% $trigger %}',
  reason: '{% $actionReason %}',
  planned: '{% $planned %}',
  role: 'replaced',
  lease: '{% $lease %}',
};

function fenceStates(scope: Construct, steps: NodeRecoverySteps, { undo }: NodeRecoveryEndings) {
  const fence = steps.fenceNode.state('Fence the failed node', {
    input: fenceOfReplaced,
    assign: { machineFirst: answer('machineFirst'), machineFence: answer('machineFence') },
    otherwise: undo,
  });
  const promote = forEach(scope, 'Promote the surviving owners', {
    items: '$shards',
    concurrency: 8,
    step: steps.promoteSurvivor,
    input: { ...subject, shard: '{% $states.input %}', lease: '{% $lease %}', fence: '{% $fence %}' },
    one: 'Promote the owner of a shard',
    failed: 'A shard could not be promoted',
    assign: { promoted: true },
    otherwise: undo,
  });
  const prove = steps.proveStopped.state('Prove that the failed machine is stopped', {
    input: { ...subject, machineFence: '{% $machineFence %}' },
    assign: { fence: answer('fence'), stopReason: answer('reason'), stopTries: '{% $stopTries + 1 %}' },
    otherwise: undo,
  });
  const release = steps.releaseLease.state('Release the lease', {
    input: { lease: '{% $lease %}' },
    assign: { lease: null },
    otherwise: undo,
  });
  return { fence, promote, prove, release };
}

/** What a planned replacement of a living node has besides: its primaries move away first, and it is fenced last. */
function plannedStates(scope: Construct, steps: NodeRecoverySteps, endings: NodeRecoveryEndings) {
  const { undo, movesUndone, notFinished } = endings;
  const planMovesAway = steps.planRebalance.state('Plan the moves away', {
    input: { cluster: '{% $cluster %}', away: '{% $nodeId %}' },
    assign: { moves: answer('moves'), moveTries: '{% $moveTries + 1 %}' },
    otherwise: undo,
  });
  const moveAway = forEach(scope, 'Move the primaries away', {
    items: '$moves',
    concurrency: 1,
    step: steps.rebalanceShard,
    input: { cluster: '{% $cluster %}', move: '{% $states.input %}', round: '{% $moveTries %}', lease: '{% $lease %}' },
    one: 'Move a primary away',
    failed: 'A primary could not be moved away',
    otherwise: movesUndone,
  });
  const fenceReplaced = steps.fenceNode.state('Fence the replaced node', {
    input: fenceOfReplaced,
    assign: { machineFence: answer('machineFence') },
    otherwise: notFinished,
  });
  const proveReplaced = steps.proveStopped.state('Prove that the replaced machine is stopped', {
    input: { ...subject, machineFence: '{% $machineFence %}' },
    assign: { fence: answer('fence'), stopReason: answer('reason'), stopTries: '{% $stopTries + 1 %}' },
    otherwise: notFinished,
  });
  return { planMovesAway, moveAway, fenceReplaced, proveReplaced };
}

/**
 * What shards have besides of which only a backup is left: whoever else may accept their writes is proved stopped before
 * anything is launched, and they are opened before anything is handed over.
 */
function lostStates(scope: Construct, steps: NodeRecoverySteps, { undo }: NodeRecoveryEndings) {
  const failed = (name: string) =>
    Fail.jsonata(scope, name, { error: expression('$itemFailure.Error'), cause: expression('$itemFailure.Cause') });
  const notFenced = failed('Another primary could not be fenced');
  const prove = steps.proveStopped.state('Prove that another primary is stopped', {
    input: { cluster: '{% $cluster %}', nodeId: '{% $other %}', machineFence: '{% $otherFence %}' },
    assign: { proof: answer('fence'), proofReason: answer('reason'), proofTries: '{% $proofTries + 1 %}' },
    otherwise: notFenced,
    failureVariable: 'itemFailure',
  });
  const fence = steps.fenceNode.state('Fence another primary', {
    input: {
      cluster: '{% $cluster %}',
      nodeId: '{% $other %}',
      trigger: '{% $trigger %}',
      reason: '{% $actionReason %}',
      planned: false,
      role: 'primary elsewhere',
      lease: '{% $lease %}',
    },
    assign: { otherFence: answer('machineFence') },
    otherwise: notFenced,
    failureVariable: 'itemFailure',
  });
  const fenceOthers = Map.jsonata(scope, 'Fence the other primaries', {
    items: ProvideItems.jsonata('{% $otherPrimaries %}'),
    maxConcurrency: 4,
    outputs: {},
    assign: { otherFences: '{% $states.result %}' },
  });
  fenceOthers.itemProcessor(
    Pass.jsonata(scope, 'Take another primary', {
      assign: { other: '{% $states.context.Map.Item.Value %}', proofTries: 0 },
    })
      .next(fence)
      .next(prove)
      .next(
        choice(scope, 'Is the other primary stopped?')
          .when(
            is('$proof != null'),
            Pass.jsonata(scope, 'Another primary is stopped', {
              outputs: { nodeId: '{% $other %}', fence: '{% $proof %}' },
            }),
          )
          .when(
            is(`$proofTries < ${tries.stop}`),
            pause(scope, 'Wait for the other stop', '$proofTries', 15).next(prove),
          )
          .otherwise(
            Fail.jsonata(scope, 'Another primary is not proved stopped', {
              error: 'FenceNotProved',
              cause: '{% $proofReason %}',
            }),
          ),
      ),
  );
  fenceOthers.addCatch(undo, { errors: ['States.ALL'], assign: { failure: '{% $states.errorOutput %}' } });
  const openLost = forEach(scope, 'Open the shards that only a backup had', {
    items: '$lost',
    concurrency: 1,
    step: steps.openLostShard,
    input: {
      cluster: '{% $cluster %}',
      replacement: '{% $replacement %}',
      loss: '{% $states.input %}',
      fences: "{% $append([{'nodeId': $nodeId, 'fence': $fence}], $otherFences) %}",
      lease: '{% $lease %}',
    },
    one: 'Open a shard from its backup',
    failed: 'A shard could not be opened from its backup',
    otherwise: undo,
  });
  return { fenceOthers, openLost };
}

function replacementStates(steps: NodeRecoverySteps, { undo }: NodeRecoveryEndings) {
  const launch = steps.launchReplacement.state('Launch the replacement', {
    input: { ...subject, strategy: '{% $strategy %}', attempt: '{% $launchTries %}' },
    assign: { replacement: answer('replacement'), launchTries: '{% $launchTries + 1 %}' },
    otherwise: undo,
  });
  const awaitIt = steps.waitForReplacement.state('Wait for the replacement', {
    input: {
      ...subject,
      replacement: '{% $replacement %}',
      shards: '{% $shards %}',
      changeId: '{% $changeId %}',
    },
    assign: {
      machineReady: answer('ready'),
      changeId: answer('changeId'),
      machineReason: answer('reason'),
      machineTries: '{% $machineTries + 1 %}',
    },
    otherwise: undo,
  });
  return { launch, await: awaitIt };
}

function joiningStates(
  scope: Construct,
  steps: NodeRecoverySteps,
  { undo, notFinished, moveBack }: NodeRecoveryEndings,
) {
  const takeLeaseAgain = steps.takeLease.state('Take the lease again', {
    input: {
      cluster: '{% $cluster %}',
      name: '',
      durationSeconds: leaseSeconds.handOver,
      attempt: '{% $againTries %}',
    },
    assign: { lease: answer('lease'), leaseReason: answer('reason'), againTries: '{% $againTries + 1 %}' },
    otherwise: undo,
  });
  const handOver = forEach(scope, 'Hand over to native replication', {
    items: '$restored.slots',
    // One after the other: shards of one primary share its list of synchronous followers.
    concurrency: 1,
    step: steps.handOver,
    input: {
      ...subject,
      replacement: '{% $replacement %}',
      slot: '{% $states.input %}',
      lease: '{% $lease %}',
    },
    one: 'Hand over a shard',
    failed: 'A shard could not be handed over',
    otherwise: undo,
  });
  const joinStandby = steps.joinStandby.state('Join the cluster', {
    input: {
      cluster: '{% $cluster %}',
      replacement: '{% $replacement %}',
      slot: '{% $restored.slots[0] %}',
      lease: '{% $lease %}',
    },
    otherwise: undo,
  });
  const planRebalance = steps.planRebalance.state('Plan the rebalance', {
    input: { cluster: '{% $cluster %}', away: null },
    assign: { moves: answer('moves') },
    otherwise: notFinished,
  });
  const rebalance = forEach(scope, 'Rebalance the primaries', {
    items: '$moves',
    concurrency: 1,
    step: steps.rebalanceShard,
    input: { cluster: '{% $cluster %}', move: '{% $states.input %}', round: 1, lease: '{% $lease %}' },
    one: 'Move a primary',
    failed: 'A primary could not be moved',
    otherwise: moveBack,
  });
  const retire = steps.retireMachine.state('Retire the failed machine', {
    input: { ...subject, successor: '{% $replacement.nodeId %}', lease: '{% $lease %}' },
    otherwise: notFinished,
  });
  const startBackup = steps.startFullBackup.state('Start a full backup', {
    input: { cluster: '{% $cluster %}' },
    assign: {
      outcome: 'recovered',
      reason: expression(
        "$replacement.nodeId & ' has taken the place of ' & $nodeId & ': ' & $string($restored.comparedRows) & ' rows compared equal, ' & $string($count($restored.slots)) & ' shards in sync' & ($count($lost) = 0 ? '' : '; ' & $join($lostShards, ', ') & ' came from a backup, and up to ' & $string($max($lost.lossSeconds)) & ' s of acknowledged writes are lost') & ($count($withoutKey) = 0 ? '' : '; not compared, for they have no key: ' & $join($withoutKey, ', '))",
      ),
    },
    otherwise: notFinished,
  });
  return { takeLeaseAgain, handOver, joinStandby, planRebalance, rebalance, retire, startBackup };
}
