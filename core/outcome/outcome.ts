/** How an execution ends. The last four end in a Fail state that an alarm sees. */
export const outcomes = ['recovered', 'no action needed', 'refused', 'undone', 'needs an operator', 'failed'] as const;

export type Outcome = (typeof outcomes)[number];

/** An outcome with its reason, for the operator who reads it at 3 a.m. */
export interface Ending {
  readonly outcome: Outcome;
  readonly reason: string;
}
