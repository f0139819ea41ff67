import * as z from 'zod';
import type { ErrorName } from '../errors';
import type { Ending, Outcome } from '../outcome/outcome';

/** What a state machine hands to a catcher. */
export const failureSchema = z.object({ Error: z.string().optional(), Cause: z.string().optional() });
export type Failure = z.infer<typeof failureSchema>;

const lambdaErrorSchema = z.object({ errorMessage: z.string() });

/** The failure in words: the message of the step's own error, or what the service says. */
export function failureInWords(failure: Failure, state?: string): string {
  const name = failure.Error ?? 'an error without a name';
  const at = state === undefined ? '' : ` in '${state}'`;
  if (name === 'States.Timeout' || name === 'Sandbox.Timedout') {
    return `a step did not answer in time${at}`;
  }
  const message = messageIn(failure.Cause ?? '');
  return message === '' ? `${name}${at}` : `${message} (${name}${at})`;
}

function messageIn(cause: string): string {
  try {
    const parsed = lambdaErrorSchema.safeParse(JSON.parse(cause));
    return parsed.success ? parsed.data.errorMessage : cause;
  } catch {
    return cause;
  }
}

/** Errors that say that going on would not be safe, and that only a person can mend. */
const needOperator: readonly ErrorName[] = ['FenceNotProved', 'LossNotAccepted', 'DecisionRefused'];

/** How an execution ends after its changes were put back. */
export function endingAfterUndo(failure: Failure): Ending {
  const outcome: Outcome = (needOperator as readonly string[]).includes(failure.Error ?? '')
    ? 'needs an operator'
    : 'undone';
  return { outcome, reason: failureInWords(failure) };
}

/** How an execution ends that failed: `undone` and `failed` carry the failure, everything else its own reason. */
export function endingOf(outcome: Outcome, reason: string | null, failure: Failure | null): Ending {
  if (reason !== null && failure === null) {
    return { outcome, reason };
  }
  if (failure === null) {
    return { outcome, reason: 'no reason was recorded' };
  }
  return { outcome, reason: reason === null ? failureInWords(failure) : `${reason}: ${failureInWords(failure)}` };
}
