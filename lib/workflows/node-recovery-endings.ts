import type { ChoiceTransitionOptions, State } from 'aws-cdk-lib/aws-stepfunctions';
import { Fail, Pass, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Outcome } from '../../core/outcome/outcome';
import type { NodeRecoverySteps } from './node-recovery-steps';
import { answer, choice, expression, is, wait } from './states';

const undoLeaseTries = 20;

/** What a way to the end says of it: the outcome, and an expression for its reason. */
export function ending(
  outcome: Outcome,
  reason: string,
): { readonly assign: NonNullable<ChoiceTransitionOptions['assign']> } {
  return { assign: { outcome, reason: expression(reason), failure: null } };
}

/** Every way out of a recovery: each gives the lease back, writes the evidence, and ends in a state named by its outcome. */
export class NodeRecoveryEndings {
  /** Ends with `$outcome` and `$reason`. */
  readonly end: State;
  /** Nothing was changed yet. */
  readonly failedEarly: State;
  /** Puts back what was changed. */
  readonly undo: State;
  /** The rows are in sync and serve; only what comes after that is not done. */
  readonly notFinished: State;
  /** The same, after writes go on in every shard that was about to move. */
  readonly moveBack: State;
  /** Undoes, after writes go on in every shard that was about to move. */
  readonly movesUndone: State;
  /** Undoes only where something was launched. */
  readonly undoIfLaunched: State;

  constructor(
    private readonly scope: Construct,
    private readonly steps: NodeRecoverySteps,
  ) {
    this.end = this.makeEnd();
    this.failedEarly = Pass.jsonata(scope, 'It failed before anything was changed', {
      assign: { outcome: 'failed', reason: null },
    }).next(this.end).startState;
    this.notFinished = Pass.jsonata(scope, 'It is in sync, but not finished', {
      assign: {
        outcome: 'needs an operator',
        reason: expression("$replacement.nodeId & ' is in sync and serves, but the recovery was not finished'"),
      },
    }).next(this.end).startState;
    this.moveBack = steps.moveBack
      .state('Put moving shards back', {
        input: { cluster: '{% $cluster %}', lease: '{% $lease %}' },
        otherwise: this.notFinished,
      })
      .next(this.notFinished).startState;
    this.undo = this.makeUndo();
    this.movesUndone = steps.moveBack
      .state('Put moving primaries back', {
        input: { cluster: '{% $cluster %}', lease: '{% $lease %}' },
        otherwise: this.undo,
        failureVariable: 'moveFailure',
      })
      .next(this.undo).startState;
    this.undoIfLaunched = choice(scope, 'Was anything launched?')
      .when(is('$replacement = null'), this.failedEarly)
      .otherwise(this.undo);
  }

  private makeEnd(): State {
    const { scope } = this;
    const needsOperator = this.fail('Needs an operator', 'needs an operator');
    const missing = Pass.jsonata(scope, 'The evidence is missing', {
      assign: {
        reason: expression(
          "'ended as ' & $outcome & ($reason = null ? '' : ' (' & $reason & ')') & ', but the evidence could not be written: ' & $evidenceFailure.Error",
        ),
      },
    }).next(needsOperator).startState;
    const write = this.steps.writeEvidence.state('Write the evidence', {
      input: {
        cluster: '{% $cluster %}',
        nodeId: '{% $nodeId %}',
        trigger: '{% $trigger %}',
        startedAt: '{% $states.context.Execution.StartTime %}',
        outcome: '{% $outcome %}',
        reason: '{% $reason %}',
        failure: '{% $failure %}',
        shards: '{% $shards %}',
        lost: '{% $lostShards %}',
        replacement: '{% $replacement %}',
        restored: '{% $restored %}',
      },
      assign: { outcome: answer('outcome'), reason: answer('reason') },
      otherwise: missing,
      failureVariable: 'evidenceFailure',
    });
    write.next(
      choice(scope, 'How did it end?')
        .when(is("$outcome = 'recovered'"), this.succeed('Recovered'))
        .when(is("$outcome = 'no action needed'"), this.succeed('No action needed'))
        .when(is("$outcome = 'refused'"), this.fail('Refused', 'refused'))
        .when(is("$outcome = 'undone'"), this.fail('Undone', 'undone'))
        .when(is("$outcome = 'needs an operator'"), needsOperator)
        .otherwise(this.fail('Failed', 'failed')),
    );
    const release = this.steps.releaseLease.state('Give the lease back', {
      input: { lease: '{% $lease %}' },
      // One that is not given back runs out by itself.
      otherwise: write,
      failureVariable: 'leaseFailure',
    });
    return release.next(write).startState;
  }

  /** Takes the lease anew, for it may have been given back or lost by now. */
  private makeUndo(): State {
    const { scope } = this;
    const notUndone = Pass.jsonata(scope, 'It could not be undone', {
      assign: {
        outcome: 'needs an operator',
        reason: expression("'undoing failed with ' & $undoFailure.Error & ' after this'"),
      },
    }).next(this.end).startState;
    const undo = this.steps.undo.state('Undo', {
      input: {
        cluster: '{% $cluster %}',
        nodeId: '{% $nodeId %}',
        shards: '{% $shards %}',
        replacement: '{% $replacement %}',
        lease: '{% $lease %}',
        failure: '{% $failure %}',
      },
      assign: { outcome: answer('outcome'), reason: answer('reason'), failure: null },
      otherwise: notUndone,
      failureVariable: 'undoFailure',
    });
    undo.next(this.end);
    const lease = this.steps.takeLease.state('Take the lease to undo', {
      input: { cluster: '{% $cluster %}', name: '', durationSeconds: 600, attempt: '{% $undoTries %}' },
      assign: { lease: answer('lease'), leaseReason: answer('reason'), undoTries: '{% $undoTries + 1 %}' },
      otherwise: notUndone,
      failureVariable: 'undoFailure',
    });
    return lease.next(
      choice(scope, 'May it be undone?', {
        outcome: 'needs an operator',
        reason: expression("'nothing was undone: ' & $leaseReason & '; before that'"),
      })
        .when(is('$lease != null'), undo)
        .when(
          is(`$undoTries < ${undoLeaseTries}`),
          wait(scope, 'Wait for the lease to undo', Duration.seconds(15)).next(lease),
        )
        .otherwise(this.end),
    ).startState;
  }

  private succeed(name: string): Succeed {
    return Succeed.jsonata(this.scope, name, {
      outputs: { outcome: '{% $outcome %}', reason: '{% $reason %}' },
    });
  }

  private fail(name: string, outcome: Outcome): Fail {
    return Fail.jsonata(this.scope, name, { error: outcome, cause: '{% $reason %}' });
  }
}
