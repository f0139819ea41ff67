import { Duration } from 'aws-cdk-lib';
import type { IChainable, StateMachine, Wait } from 'aws-cdk-lib/aws-stepfunctions';
import { Pass } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { ErrorName } from '../../core/errors';
import { Workflow } from '../constructs/workflow';
import { ending, NodeRecoveryEndings } from './node-recovery-endings';
import { nodeRecoveryStates, tries } from './node-recovery-states';
import { nodeRecoverySteps } from './node-recovery-steps';
import { RestoreRows } from './restore-rows';
import { RestoreVolume } from './restore-volume';
import { choice, expression, is, pause, wait } from './states';

/** The recovery of one failed node: a state machine whose history reads as what was done and why. */
export class NodeRecovery extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.machine = new Workflow(this, 'Workflow', {
      name: 'node-recovery',
      comment: 'Replaces a failed database node: fence, promote, launch, restore, prove in sync, join',
      timeout: Duration.hours(24),
      definition: (workflow) => story(new Construct(workflow, 'Story')),
    }).machine;
  }
}

/**
 * The story, in the order of the specification's section 4. What each state does is said by its step; here is the order
 * only, and where every failure leads: before the first effect to 'Failed', after it to 'Undo', and once the rows are in
 * sync to an operator, because then undoing would take away a good node.
 *
 * A node of a replicated cluster held all rows: its volume is restored and its log caught up with, instead of rows.
 *
 * A planned replacement of a living node takes the same states in another order: it is launched first, then the primaries
 * move away, and the fence comes last, when its successor is in sync: until then the old node is the second copy.
 */
function story(scope: Construct): IChainable {
  const steps = nodeRecoverySteps(scope);
  const endings = new NodeRecoveryEndings(scope, steps);
  const { end, undo } = endings;
  const states = nodeRecoveryStates(scope, steps, endings);
  const rows = new RestoreRows(scope, 'Rows', { otherwise: undo });
  const volume = new RestoreVolume(scope, 'Volume', { otherwise: undo, launch: states.launch });

  const begin = noteInput(scope)
    .next(states.confirm)
    .next(states.decide)
    .next(
      choice(scope, 'What is to be done?')
        .when(is("$action = 'none'"), end, ending('no action needed', '$actionReason'))
        .when(is("$action = 'refuse'"), end, ending('refused', '$actionReason'))
        .when(is('$planned'), volume.beforeLaunch)
        .otherwise(states.takeLease),
    );

  states.takeLease.next(
    choice(scope, 'Is the lease ours?', ending('refused', '$leaseReason').assign)
      .when(is('$lease != null and $planned'), states.planMovesAway)
      .when(is('$lease != null'), states.fence)
      .when(is(`$leaseTries < ${tries.lease} and $planned`), wait15(scope, 'Wait for the lease').next(states.takeLease))
      // What the other execution does may change what is to be done here.
      .when(is(`$leaseTries < ${tries.lease}`), wait15(scope, 'Wait for the other execution').next(states.confirm))
      .when(is('$planned'), undo, { assign: failure('LeaseHeld', '$leaseReason') })
      .otherwise(end),
  );

  states.planMovesAway.next(
    choice(
      scope,
      'Are all primaries away?',
      failure('NotProved', "'after 3 tries ' & $nodeId & ' is still a primary: ' & $join($moves.shard, ', ')"),
    )
      .when(is('$count($moves) = 0'), states.release)
      .when(is(`$moveTries <= ${tries.moves}`), states.moveAway)
      .otherwise(undo),
  );
  states.moveAway.next(states.planMovesAway);
  states.fence.next(
    choice(scope, 'Must the machine be stopped first?')
      .when(is('$machineFirst'), states.prove)
      .otherwise(states.promote),
  );
  const othersThenRelease = choice(scope, 'May others still accept writes of lost shards?')
    .when(is('$count($otherPrimaries) > 0'), states.fenceOthers)
    .otherwise(states.release);
  states.fenceOthers.next(states.release);
  states.promote.next(
    choice(scope, 'Is the stop proved already?').when(is('$fence != null'), othersThenRelease).otherwise(states.prove),
  );
  states.prove.next(
    choice(
      scope,
      'Is the stop proved?',
      ending('needs an operator', "'the fence is not proved: ' & $stopReason").assign,
    )
      .when(is('$fence != null and $promoted'), othersThenRelease)
      .when(is('$fence != null'), states.promote)
      .when(is(`$stopTries < ${tries.stop}`), pause(scope, 'Wait for the stop', '$stopTries', 15).next(states.prove))
      .otherwise(end),
  );
  states.release.next(
    choice(scope, 'Is its replacement there?')
      .when(is('$replacement != null'), rows.start)
      .otherwise(volume.beforeLaunch),
  );

  states.launch.next(
    choice(scope, 'Was there capacity?').when(is('$replacement != null'), states.await).otherwise(states.launch),
  );
  states.await.next(
    choice(
      scope,
      'Does the replacement answer?',
      failure('NotProved', "'the replacement never answered: ' & $machineReason"),
    )
      .when(is("$machineReady and $layout = 'replicated'"), volume.start)
      .when(is('$machineReady and $planned'), states.takeLease)
      .when(is('$machineReady'), rows.start)
      .when(
        is(`$replacement.machineKind = 'ec2' and $machineTries < ${tries.machine}`),
        pause(scope, 'Wait for the machine', '$machineTries', 15).next(states.await),
      )
      .when(
        is(`$replacement.machineKind = 'rds' and $machineTries < ${tries.managed}`),
        wait(scope, 'Wait for the instance', Duration.seconds(30)).next(states.await),
      )
      .otherwise(undo),
  );

  rows.end.next(states.takeLeaseAgain);
  volume.end.next(states.takeLeaseAgain);
  states.takeLeaseAgain.next(
    choice(scope, 'Is the lease ours again?', failure('LeaseHeld', '$leaseReason'))
      .when(is("$lease != null and $layout = 'replicated'"), states.joinStandby)
      .when(is('$lease != null and $count($lost) > 0'), states.openLost)
      .when(is('$lease != null'), states.handOver)
      .when(
        is(`$againTries < ${tries.leaseAgain}`),
        wait15(scope, 'Wait for the lease again').next(states.takeLeaseAgain),
      )
      .otherwise(undo),
  );
  states.openLost.next(states.handOver);
  const endOld = choice(scope, 'Does the old node still live?')
    .when(is('$planned'), states.fenceReplaced)
    .otherwise(states.retire);
  states.joinStandby.next(endOld);
  states.handOver.next(states.planRebalance).next(states.rebalance).next(endOld);
  states.fenceReplaced.next(states.proveReplaced);
  states.proveReplaced.next(
    choice(
      scope,
      'Is its stop proved?',
      ending(
        'needs an operator',
        "$replacement.nodeId & ' is in sync and serves, but the fence of ' & $nodeId & ' is not proved: ' & $stopReason",
      ).assign,
    )
      .when(is('$fence != null'), states.retire)
      .when(
        is(`$stopTries < ${tries.stop}`),
        pause(scope, 'Wait for its stop', '$stopTries', 15).next(states.proveReplaced),
      )
      .otherwise(end),
  );
  states.retire.next(states.startBackup).next(end);

  return begin;
}

/** Everything that a later state, or the evidence of a failure, may ask for has a value from here on. */
function noteInput(scope: Construct): Pass {
  const given = (field: string, otherwise: string): string =>
    expression(`$exists($states.input.${field}) ? $states.input.${field} : ${otherwise}`);
  return Pass.jsonata(scope, 'Note what is asked', {
    assign: {
      asked: expression('$states.input'),
      cluster: given('cluster', "''"),
      nodeId: given('nodeId', "''"),
      trigger: given('trigger', "''"),
      acceptLossSeconds: given('acceptLossSeconds', 'null'),
      planned: given('planned', 'false'),
      lease: null,
      fence: null,
      replacement: null,
      restored: null,
      failure: null,
      shards: [],
      lost: [],
      lostShards: [],
      otherPrimaries: [],
      otherFences: [],
      changeId: null,
      layout: 'sharded',
      snapshotId: null,
      snapshotTries: 0,
      withoutKey: [],
      promoted: false,
      leaseTries: 0,
      stopTries: 0,
      launchTries: 0,
      machineTries: 0,
      againTries: 0,
      moveTries: 0,
      undoTries: 0,
    },
  });
}

function failure(error: ErrorName, cause: string): Record<string, unknown> {
  return { failure: { Error: error, Cause: expression(cause) } };
}

function wait15(scope: Construct, name: string): Wait {
  return wait(scope, name, Duration.seconds(15));
}
