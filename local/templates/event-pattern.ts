import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';

type Matcher = (value: Json | undefined) => boolean;

/** A rule's pattern, checked when it is read: matches events as EventBridge does. */
export class EventPattern {
  private readonly matcher: (event: JsonObject) => boolean;

  /**
   * Knows exact values, `prefix`, `suffix`, `anything-but` and `exists`.
   *
   * @throws InvalidInput for any other operator
   */
  constructor(pattern: JsonObject, rule: string) {
    this.matcher = compileObject(pattern, rule);
  }

  matches(event: JsonObject): boolean {
    return this.matcher(event);
  }
}

/** Every field of the pattern has to match. */
function compileObject(pattern: JsonObject, rule: string): (event: JsonObject) => boolean {
  const fields = Object.entries(pattern).map(([name, inner]) => [name, compileField(inner, rule)] as const);
  return (event) => fields.every(([name, matches]) => matches(event[name]));
}

function compileField(pattern: Json, rule: string): Matcher {
  if (Array.isArray(pattern)) {
    const choices = pattern.map((choice: Json) => compileChoice(choice, rule));
    // Of a list in the event, one item that matches is enough.
    return (value) =>
      choices.some((matches) => (Array.isArray(value) ? value.some((item: Json) => matches(item)) : matches(value)));
  }
  if (isObject(pattern)) {
    const inner = compileObject(pattern, rule);
    return (value) => inner(isObject(value) ? value : {});
  }
  throw unknown(rule, pattern);
}

function compileChoice(choice: Json, rule: string): Matcher {
  if (!isObject(choice)) {
    return (value) => value === choice;
  }
  const [[operator, operand] = ['', null], ...more] = Object.entries(choice);
  if (more.length > 0) {
    throw unknown(rule, choice);
  }
  if (operator === 'prefix' && typeof operand === 'string') {
    return (value) => typeof value === 'string' && value.startsWith(operand);
  }
  if (operator === 'suffix' && typeof operand === 'string') {
    return (value) => typeof value === 'string' && value.endsWith(operand);
  }
  if (operator === 'exists' && typeof operand === 'boolean') {
    return (value) => (value !== undefined) === operand;
  }
  if (operator === 'anything-but') {
    const excluded = isObject(operand)
      ? [compileChoice(operand, rule)]
      : [operand].flat().map(
          (item: Json): Matcher =>
            (value) =>
              value === item,
        );
    return (value) => value !== undefined && !excluded.some((matches) => matches(value));
  }
  throw unknown(rule, choice);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknown(rule: string, pattern: Json): RejoinError {
  return new RejoinError(
    'InvalidInput',
    `rule '${rule}' has a pattern that the local cloud does not know: ${JSON.stringify(pattern)} (known: values, prefix, suffix, anything-but, exists)`,
  );
}
