import type { Json } from '../../../core/json';
import type { Effects, Next } from '../definition';
import { EvaluationFailure, StateFailure } from '../failure';
import type { StateType } from '../history';
import { assignedOf, outputOf } from '../history';
import { Payload } from '../payload';
import type { Outcome } from './evaluation';
import { Evaluation } from './evaluation';
import type { Thread, Visit } from './thread';

export interface Exit {
  readonly output: Payload;
  readonly next: Next;
}

/**
 * Evaluates Assign and Output, records the Exited event, and sets the variables. Both see the variables as they were when
 * the state was entered.
 *
 * @param bare what goes on where no Output is declared
 */
export async function leaveState(
  thread: Thread,
  visit: Visit,
  effects: Effects,
  leaving: { readonly outcome: Outcome; readonly bare: Json; readonly next: Next },
): Promise<Exit> {
  const evaluation = new Evaluation(thread, visit, leaving.outcome);
  const assigned = new Map<string, Payload>();
  for (const [name, template] of effects.assign) {
    assigned.set(name, new Payload(await evaluation.template(template)));
  }
  const value = effects.output === null ? leaving.bare : await evaluation.template(effects.output);
  const output = value === visit.input.value ? visit.input : new Payload(value);
  if (output.tooLarge) {
    throw dataLimitExceeded(visit.state.name);
  }
  thread.cancellation.assertLive();
  thread.variables.assign(assigned, visit.state.name);
  const variables = Object.fromEntries([...assigned].map(([name, payload]) => [name, payload.text]));
  thread.record(`${visit.state.type as Exclude<StateType, 'Fail'>}StateExited`, {
    stateExitedEventDetails: {
      name: visit.state.name,
      ...outputOf(output.text),
      ...(assigned.size === 0 ? {} : assignedOf(variables)),
    },
  });
  thread.visit = null;
  return { output, next: leaving.next };
}

/** @param what the state, or the task's resource */
export const dataLimitExceeded = (what: string): StateFailure =>
  new StateFailure(
    'States.DataLimitExceeded',
    `The state/task '${what}' returned a result with a size exceeding the maximum number of bytes service limit.`,
  );

/** Turns a failed evaluation into the state's failure, and records it. Other errors come back as they are. */
export function asStateFailure(thread: Thread, visit: Visit, thrown: unknown): unknown {
  if (!(thrown instanceof EvaluationFailure)) {
    return thrown;
  }
  const { name } = visit.state;
  const cause = `An error occurred while executing the state '${name}' (entered at the event id #${visit.enteredEventId}). ${thrown.reason}`;
  const details = {
    error: 'States.QueryEvaluationError',
    cause,
    ...(thrown.location === null ? {} : { location: thrown.location }),
    state: name,
  };
  // AWS numbers it as a sibling of the event before it.
  thread.record('EvaluationFailed', { evaluationFailedEventDetails: details }, thread.beforeLastEventId);
  return new StateFailure(details.error, cause);
}
