import type { Json } from '../../../core/json';
import type { ParallelState } from '../definition';
import { StateFailure } from '../failure';
import { Payload } from '../payload';
import { recordAborted, recordGivenUp } from './aborted-events';
import { Evaluation } from './evaluation';
import { dataLimitExceeded } from './leave-state';
import type { Thread, Visit } from './thread';

/**
 * Runs all branches at once; the first failure ends the others.
 *
 * @throws StateFailure of the branch that failed first
 */
export async function runParallel(thread: Thread, visit: Visit, state: ParallelState): Promise<Json> {
  const input =
    state.arguments === null ? visit.input : new Payload(await new Evaluation(thread, visit).template(state.arguments));
  if (input.tooLarge) {
    throw dataLimitExceeded(state.name);
  }
  thread.record('ParallelStateStarted');
  const group = thread.cancellation.inside();
  const branches = state.branches.map((graph) => ({ graph, branch: thread.branch(group) }));
  let lastEventId = thread.lastEventId;
  const outputs: Json[] = [];
  const failures: StateFailure[] = [];
  try {
    await Promise.all(
      branches.map(async ({ graph, branch }, index) => {
        try {
          outputs[index] = (await thread.run.runGraph(branch, graph, input)).value;
        } catch (thrown) {
          if (thrown instanceof StateFailure) {
            failures.push(thrown);
            endByFailure(thread, branch);
          }
          throw thrown;
        }
        lastEventId = branch.lastEventId;
        thread.leave(branch);
      }),
    );
  } catch (thrown) {
    // The branches that the first failure ended reject as well.
    throw failures[0] ?? thrown;
  } finally {
    group.cancel();
    branches.forEach(({ branch }) => {
      thread.leave(branch);
    });
  }
  thread.continueFrom(lastEventId);
  thread.recordAside('ParallelStateSucceeded');
  return outputs;
}

/** What AWS records when a branch fails: the states that it and its siblings leave unfinished. */
function endByFailure(thread: Thread, failed: Thread): void {
  if (failed.cancellation.cancelled) {
    return;
  }
  thread.continueFrom(failed.lastEventId);
  for (const branch of thread.inner) {
    if (branch === failed) {
      recordAborted(branch, failed.lastEventId);
    } else {
      recordGivenUp(branch, failed.lastEventId);
    }
  }
  failed.cancellation.cancel();
}
