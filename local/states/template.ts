import type { Json, JsonObject } from '../../core/json';
import type { Bindings } from './expression';
import { Expression } from './expression';
import { runtimeFailure } from './failure';

/** A value of a definition in which strings of the form `{% … %}` are expressions. */
export type Template =
  | { readonly kind: 'literal'; readonly value: Json }
  | { readonly kind: 'expression'; readonly expression: Expression }
  | { readonly kind: 'path'; readonly steps: readonly string[]; readonly text: string }
  | { readonly kind: 'object'; readonly fields: readonly (readonly [string, Template])[] }
  | { readonly kind: 'array'; readonly items: readonly Template[] };

export const isExpression = (value: Json): value is string =>
  typeof value === 'string' && value.startsWith('{%') && value.endsWith('%}') && value.length >= 4;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads a value in a JSONata state.
 *
 * @param location the path that AWS's error messages give, such as `Output/result`
 * @param report called with what is wrong with an expression inside
 */
export function compileTemplate(
  value: Json,
  location: string,
  report: (location: string, problem: string) => void,
): Template {
  if (isExpression(value)) {
    try {
      return { kind: 'expression', expression: new Expression(value.slice(2, -2).trim(), location) };
    } catch (error) {
      report(
        location,
        `expression '${value}' can't be used: ${error instanceof Error ? error.message : String(error)}`,
      );
      return { kind: 'literal', value };
    }
  }
  if (Array.isArray(value)) {
    const items = value.map((item: Json, index) => compileTemplate(item, `${location}[${index}]`, report));
    return items.every((item) => item.kind === 'literal') ? { kind: 'literal', value } : { kind: 'array', items };
  }
  if (isJsonObject(value)) {
    const fields = Object.entries(value).map(
      ([key, field]) => [key, compileTemplate(field, `${location}/${key}`, report)] as const,
    );
    return fields.every(([, field]) => field.kind === 'literal')
      ? { kind: 'literal', value }
      : { kind: 'object', fields };
  }
  return { kind: 'literal', value };
}

/** Fields in the order in which they are written, one after the other, so that a run is the same each time. */
export async function evaluateTemplate(template: Template, bindings: Bindings): Promise<Json> {
  switch (template.kind) {
    case 'literal':
      return template.value;
    case 'expression':
      return template.expression.evaluate(bindings);
    case 'path':
      return follow(template, (bindings['states'] as { readonly input: Json }).input);
    case 'array': {
      const items: Json[] = [];
      for (const item of template.items) {
        items.push(await evaluateTemplate(item, bindings));
      }
      return items;
    }
    case 'object': {
      const fields: Record<string, Json> = {};
      for (const [key, field] of template.fields) {
        fields[key] = await evaluateTemplate(field, bindings);
      }
      return fields;
    }
  }
}

function follow(path: { readonly steps: readonly string[]; readonly text: string }, input: Json): Json {
  let at: Json = input;
  for (const step of path.steps) {
    const next: Json | undefined = isJsonObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
    if (next === undefined) {
      throw runtimeFailure(`The JSONPath '${path.text}' could not be found in the input '${JSON.stringify(input)}'`);
    }
    at = next;
  }
  return at;
}
