import type { Json, JsonObject } from '../../../core/json';
import type { NumberField, TextField } from '../definition';
import type { Expression } from '../expression';
import type { Template } from '../template';
import { compileTemplate, isExpression, isJsonObject } from '../template';

export interface NumberBounds {
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
}

/** Fields of JSONPath states: refused by name, because a machine that mixes both languages by mistake would run wrongly. */
const jsonPathFields = new Set([
  'InputPath',
  'OutputPath',
  'ResultPath',
  'Parameters',
  'ResultSelector',
  'Result',
  'ItemsPath',
  'MaxConcurrencyPath',
  'ToleratedFailureCountPath',
  'ToleratedFailurePercentagePath',
  'TimeoutSecondsPath',
  'HeartbeatSecondsPath',
  'SecondsPath',
  'TimestampPath',
  'ErrorPath',
  'CausePath',
  'MaxItemsPath',
  'MaxItemsPerBatchPath',
  'MaxInputBytesPerBatchPath',
  'Variable',
]);

const quoted = (values: readonly string[]): string => values.map((value) => `'${value}'`).join(', ');

/** Reads the fields of one object of a definition, and notes everything that is wrong with them. */
export class Fields {
  readonly #raw: JsonObject;
  /** Such as `state 'Fence the node': Retry[0]`. */
  readonly where: string;
  /** The path of this object in AWS's messages, ending in `/`, or empty in the state itself. */
  readonly #path: string;
  readonly #problems: string[];

  constructor(raw: JsonObject, where: string, path: string, problems: string[]) {
    this.#raw = raw;
    this.where = where;
    this.#path = path;
    this.#problems = problems;
  }

  problem(text: string): void {
    this.#problems.push(`${this.where}: ${text}`);
  }

  /** Notes every field but `supported`. */
  allowOnly(supported: readonly string[], language: 'JSONata' | 'JSONPath' = 'JSONata'): void {
    for (const name of Object.keys(this.#raw)) {
      if (!supported.includes(name)) {
        const kind =
          language === 'JSONata' && jsonPathFields.has(name)
            ? 'is a JSONPath field and not allowed in JSONata'
            : 'is not supported';
        this.problem(`field '${name}' ${kind} (supported here: ${supported.join(', ')})`);
      }
    }
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#raw, name);
  }

  value(name: string): Json | undefined {
    return this.#raw[name];
  }

  /** A text that must be there; the empty text after a problem. */
  requiredText(name: string): string {
    const text = this.text(name);
    if (text === null && !this.has(name)) {
      this.problem(`field '${name}' is missing`);
    }
    return text ?? '';
  }

  text(name: string): string | null {
    const value = this.#raw[name];
    if (value === undefined) {
      return null;
    }
    if (typeof value !== 'string' || value === '') {
      this.problem(`field '${name}' must be a text that is not empty, but is ${JSON.stringify(value)}`);
      return null;
    }
    return value;
  }

  /** One of a closed set; null where the field is absent or wrong. */
  oneOf<T extends string>(name: string, allowed: readonly T[]): T | null {
    const value = this.#raw[name];
    if (value === undefined) {
      return null;
    }
    const found = allowed.find((each) => each === value);
    if (found === undefined) {
      this.problem(`field '${name}' is ${JSON.stringify(value)}; supported: ${quoted(allowed)}`);
    }
    return found ?? null;
  }

  number(name: string, bounds: NumberBounds): number | null {
    const value = this.#raw[name];
    if (value === undefined) {
      return null;
    }
    const { least, most, whole } = bounds;
    if (typeof value !== 'number' || value < least || value > most || (whole && !Number.isInteger(value))) {
      this.problem(
        `field '${name}' must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}, but is ${JSON.stringify(value)}`,
      );
      return null;
    }
    return value;
  }

  /** A number or an expression. */
  numberField(name: string, bounds: NumberBounds): NumberField | null {
    const expression = this.#expression(name);
    if (expression !== null) {
      return { kind: 'expression', expression };
    }
    const value = this.number(name, bounds);
    return value === null ? null : { kind: 'number', value };
  }

  /** A text or an expression. */
  textField(name: string): TextField | null {
    const expression = this.#expression(name);
    if (expression !== null) {
      return { kind: 'expression', expression };
    }
    const value = this.#raw[name];
    if (value === undefined) {
      return null;
    }
    if (typeof value !== 'string') {
      this.problem(`field '${name}' must be a text or an expression, but is ${JSON.stringify(value)}`);
      return null;
    }
    return { kind: 'text', text: value };
  }

  /** Any JSON with expressions inside; null where the field is absent. */
  template(name: string): Template | null {
    const value = this.#raw[name];
    return value === undefined ? null : this.compile(value, `${this.#path}${name}`);
  }

  compile(value: Json, location: string): Template {
    return compileTemplate(value, location, (at, problem) => {
      this.problem(`${at}: ${problem}`);
    });
  }

  expression(name: string): Expression | null {
    const expression = this.#expression(name);
    if (expression === null && !isExpression(this.#raw[name] ?? null)) {
      this.problem(`field '${name}' must be an expression in {% %}, but is ${JSON.stringify(this.#raw[name])}`);
    }
    return expression;
  }

  /** An object inside this one; null where it is absent or no object. */
  object(name: string): Fields | null {
    const value = this.#raw[name];
    if (value === undefined) {
      return null;
    }
    if (!isJsonObject(value)) {
      this.problem(`field '${name}' must be an object, but is ${JSON.stringify(value)}`);
      return null;
    }
    return new Fields(value, `${this.where}: ${name}`, `${this.#path}${name}/`, this.#problems);
  }

  /** The objects of a list inside this one; none where it is absent or no list. */
  objects(name: string): readonly Fields[] {
    const value = this.#raw[name];
    if (value === undefined) {
      return [];
    }
    if (!Array.isArray(value) || !value.every(isJsonObject)) {
      this.problem(`field '${name}' must be a list of objects`);
      return [];
    }
    return value.map(
      (each, index) =>
        new Fields(each, `${this.where}: ${name}[${index}]`, `${this.#path}${name}[${index}]/`, this.#problems),
    );
  }

  raw(): JsonObject {
    return this.#raw;
  }

  #expression(name: string): Expression | null {
    const value = this.#raw[name] ?? null;
    if (!isExpression(value)) {
      return null;
    }
    const template = this.template(name);
    return template?.kind === 'expression' ? template.expression : null;
  }
}
