import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '../../core/json';
import type { Condition } from '../../core/ports/registry';

/** Whether a condition holds for what is stored; null: nothing is. */
export function holds(condition: Condition, stored: JsonObject | null): boolean {
  if (condition === 'absent') {
    return stored === null;
  }
  if ('absentOrEquals' in condition) {
    return stored === null || equals(condition.absentOrEquals, stored);
  }
  return stored !== null && equals(condition.equals, stored);
}

/** An attribute that is not there equals nothing, not even null. */
function equals(wanted: JsonObject, stored: JsonObject): boolean {
  return Object.entries(wanted).every(
    ([name, value]) => Object.hasOwn(stored, name) && isDeepStrictEqual(stored[name], value),
  );
}
