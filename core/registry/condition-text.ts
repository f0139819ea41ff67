import type { Condition } from '../ports/registry';

/** The condition in words, for the message of a failed one. */
export function describe(condition: Condition): string {
  if (condition === 'absent') {
    return 'is absent';
  }
  return 'absentOrEquals' in condition
    ? `is absent or has ${JSON.stringify(condition.absentOrEquals)}`
    : `exists with ${JSON.stringify(condition.equals)}`;
}
