import type { Catcher, Retrier } from '../definition';
import type { Fields } from './fields';
import { readEffects } from './read-effects';

const longestSeconds = 99_999_999;
const longestDelaySeconds = 31_622_400;

/** Retry and Catch of a Task, Parallel or Map state. */
export function readRecovery(fields: Fields): {
  readonly retry: readonly Retrier[];
  readonly catch: readonly Catcher[];
} {
  const retriers = fields.objects('Retry');
  const catchers = fields.objects('Catch');
  return {
    retry: retriers.map((each, index) => readRetrier(each, index === retriers.length - 1)),
    catch: catchers.map((each, index) => readCatcher(each, index === catchers.length - 1)),
  };
}

function readRetrier(fields: Fields, last: boolean): Retrier {
  fields.allowOnly([
    'ErrorEquals',
    'IntervalSeconds',
    'BackoffRate',
    'MaxAttempts',
    'MaxDelaySeconds',
    'JitterStrategy',
    'Comment',
  ]);
  const intervalSeconds = fields.number('IntervalSeconds', { least: 1, most: longestSeconds, whole: true }) ?? 1;
  const maxDelaySeconds = fields.number('MaxDelaySeconds', { least: 1, most: longestDelaySeconds, whole: true });
  if (maxDelaySeconds !== null && maxDelaySeconds <= intervalSeconds) {
    fields.problem(
      `field 'MaxDelaySeconds' is ${maxDelaySeconds} and must be more than IntervalSeconds, which is ${intervalSeconds}`,
    );
  }
  return {
    errorEquals: readErrorEquals(fields, last),
    intervalSeconds,
    backoffRate: fields.number('BackoffRate', { least: 1, most: longestSeconds, whole: false }) ?? 2,
    maxAttempts: fields.number('MaxAttempts', { least: 0, most: longestSeconds, whole: true }) ?? 3,
    maxDelaySeconds,
    jitter: fields.oneOf('JitterStrategy', ['FULL', 'NONE']) ?? 'NONE',
  };
}

function readCatcher(fields: Fields, last: boolean): Catcher {
  fields.allowOnly(['ErrorEquals', 'Next', 'Assign', 'Output', 'Comment']);
  return { errorEquals: readErrorEquals(fields, last), next: fields.requiredText('Next'), ...readEffects(fields) };
}

function readErrorEquals(fields: Fields, last: boolean): readonly string[] {
  const value = fields.value('ErrorEquals');
  if (!Array.isArray(value) || value.length === 0 || !value.every((name) => typeof name === 'string')) {
    fields.problem(`field 'ErrorEquals' must be a list of error names, but is ${JSON.stringify(value)}`);
    return [];
  }
  const names = value as readonly string[];
  if (names.includes('States.ALL') && (names.length > 1 || !last)) {
    fields.problem(`'States.ALL' must stand alone in 'ErrorEquals', and in the last entry of the list`);
  }
  return names;
}
