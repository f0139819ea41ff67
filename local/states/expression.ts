import jsonata from 'jsonata';
import type { Json } from '../../core/json';
import { EvaluationFailure, Interrupted } from './failure';

/** What an expression can name without its `$`: variables, `states`, and Step Functions' own functions. */
export type Bindings = Readonly<Record<string, unknown>>;

export type JsonType = 'array' | 'object' | 'string' | 'number' | 'boolean' | 'null';

/**
 * Bounds for expressions that would never end, so that they fail instead of taking the process down: nested evaluations,
 * and milliseconds. The second is in real time, also on a virtual clock; honest expressions come nowhere near either.
 */
const runawayLimits = { stack: 50_000, timeout: 10_000 };

/** One JSONata expression of a definition, with the path of the field that holds it. */
export class Expression {
  readonly text: string;
  readonly location: string;
  readonly #compiled: jsonata.Expression;

  /** @throws Error that says what JSONata does not accept in `text` */
  constructor(text: string, location: string) {
    this.text = text;
    this.location = location;
    this.#compiled = compile(text);
    if (names(this.#compiled.ast(), 'eval')) {
      throw new Error('the function $eval is not available in Step Functions');
    }
  }

  /** @throws EvaluationFailure, worded as AWS words it */
  async evaluate(bindings: Bindings): Promise<Json> {
    let result: unknown;
    try {
      // Step Functions gives expressions no input document: everything is reached through variables.
      result = await this.#compiled.evaluate(undefined, bindings);
    } catch (error) {
      if (error instanceof Interrupted) {
        throw error;
      }
      throw this.failure(`threw an error during evaluation. ${wordsOf(error)}`);
    }
    if (result === undefined) {
      throw this.failure('returned nothing (undefined).');
    }
    const json = toJson(result);
    if (json === undefined) {
      throw this.failure('returned an unsupported result type.');
    }
    return json;
  }

  /** @throws EvaluationFailure when the result is of another type */
  expect(type: JsonType, value: Json): Json {
    const given = typeOf(value);
    if (given !== type) {
      throw this.failure(
        `returned an unexpected result type. Expected '${type}', but was '${given}' for value: ${JSON.stringify(value)}`,
      );
    }
    return value;
  }

  failure(ending: string): EvaluationFailure {
    return new EvaluationFailure(
      `The JSONata expression '${this.text}' specified for the field '${this.location}' ${ending}`,
      this.location,
    );
  }
}

export function typeOf(value: Json): JsonType {
  if (value === null) {
    return 'null';
  }
  if (Array.isArray(value)) {
    return 'array';
  }
  return typeof value as 'object' | 'string' | 'number' | 'boolean';
}

function compile(text: string): jsonata.Expression {
  try {
    return jsonata(text, runawayLimits);
  } catch (error) {
    throw new Error(wordsOf(error), { cause: error });
  }
}

/** Whether the expression names the variable or function `name` anywhere. */
function names(node: unknown, name: string): boolean {
  if (Array.isArray(node)) {
    return node.some((child) => names(child, name));
  }
  if (typeof node !== 'object' || node === null) {
    return false;
  }
  const { type, value } = node as { type?: unknown; value?: unknown };
  return (type === 'variable' && value === name) || Object.values(node).some((child) => names(child, name));
}

/** JSONata throws plain objects with a code and a message. */
function wordsOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const words = typeof message === 'string' ? message : String(error);
  return typeof code === 'string' ? `${code}: ${words}` : words;
}

/** A plain copy of what JSONata returned, without its marks on arrays; undefined where there is a function inside. */
function toJson(value: unknown): Json | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value + 0 : undefined;
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') {
    return value;
  }
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => (item === undefined ? null : toJson(item)));
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  if (typeof value !== 'object' || isFunctionObject(value)) {
    return undefined;
  }
  const fields: [string, Json][] = [];
  for (const [key, field] of Object.entries(value)) {
    if (field !== undefined) {
      const json = toJson(field);
      if (json === undefined) {
        return undefined;
      }
      fields.push([key, json]);
    }
  }
  return Object.fromEntries(fields);
}

/** JSONata's own lambdas and library functions are objects. */
const isFunctionObject = (value: object): boolean => '_jsonata_lambda' in value || '_jsonata_function' in value;
