import type * as z from 'zod';
import { nearest } from './nearest';
import type { Path, Problem } from './problem';
import { pathText, shown } from './problem';

/** A part of the editor schema: what may stand at one place of rejoin.yaml. */
interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly const?: unknown;
}

type Issue = z.core.$ZodIssue;

/** Says in words what the schema found wrong; one problem an unknown field. */
export function explain(issue: Issue, document: unknown, schema: Record<string, unknown>): readonly Problem[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    const allowed = fieldsAt(schema, document, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      atKey: true,
      message: `unknown field; allowed ${path.length === 0 ? 'at the top' : `in ${pathText(path)}`}: ${allowed.join(', ')}${didYouMean(key, allowed)}`,
    }));
  }
  const given = valueAt(document, path);
  if (issue.code === 'invalid_key') {
    const reason = issue.issues.map((inner) => inner.message).join('; ');
    return [{ path, atKey: true, message: `${shown(path.at(-1))} can't be a name here; ${reason}` }];
  }
  return [{ path, message: explainValue(issue, given) }];
}

function explainValue(issue: Issue, given: unknown): string {
  if (given === undefined && issue.code !== 'custom') {
    return `is missing; expected ${expected(issue)}`;
  }
  switch (issue.code) {
    case 'invalid_type':
      return `${shown(given)} is not ${expected(issue)}${quotesHint(issue, given)}`;
    case 'invalid_value':
      return `${shown(given)} is not allowed; allowed: ${issue.values.map(String).join(', ')}${didYouMean(given, issue.values.map(String))}`;
    case 'too_small':
      return issue.origin === 'string'
        ? `${shown(given)} is too short; it needs ${String(issue.minimum)} or more characters`
        : `${shown(given)} is too small; at least ${String(issue.minimum)} is needed`;
    case 'too_big':
      return `${shown(given)} is too ${issue.origin === 'string' ? 'long' : 'large'}; at most ${String(issue.maximum)} is allowed`;
    case 'invalid_union':
      return `${shown(given)} is not allowed; expected ${expected(issue)}${didYouMean(given, alternatives(issue))}`;
    case 'invalid_format':
      return `${shown(given)} does not fit; ${issue.message}`;
    case 'not_multiple_of':
    case 'invalid_element':
    case 'invalid_key':
    case 'unrecognized_keys':
    case 'custom':
      return `${shown(given)} does not fit; ${issue.message}`;
  }
}

function expected(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeNames[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_union':
      return issue.discriminator === undefined ? 'another value' : `one of ${alternatives(issue).join(', ')}`;
    case 'too_small':
    case 'too_big':
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_element':
    case 'invalid_key':
    case 'unrecognized_keys':
    case 'custom':
      return 'a value';
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of fields',
  record: 'a group of names, each with its fields',
};

function quotesHint(issue: Extract<Issue, { code: 'invalid_type' }>, given: unknown): string {
  return issue.expected === 'string' && (typeof given === 'number' || typeof given === 'boolean')
    ? `; write it in quotes`
    : '';
}

function alternatives(issue: Extract<Issue, { code: 'invalid_union' }>): string[] {
  const { options } = issue as { readonly options?: readonly unknown[] };
  return (options ?? []).map(String);
}

/** `; did you mean 'x'?`, or nothing. */
export function didYouMean(given: unknown, candidates: readonly string[]): string {
  const near = typeof given === 'string' ? nearest(given, candidates) : null;
  return near === null ? '' : `; did you mean '${near}'?`;
}

function valueAt(document: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined,
    document,
  );
}

/** The fields that the editor schema knows at a path. */
function fieldsAt(schema: Record<string, unknown>, document: unknown, path: Path): string[] {
  let node: SchemaNode | null = schema;
  path.forEach((key, depth) => {
    node = node === null ? null : choose(childOf(node, key), valueAt(document, path.slice(0, depth + 1)));
  });
  return Object.keys((node as SchemaNode | null)?.properties ?? {});
}

function childOf(node: SchemaNode, key: string | number): SchemaNode | null {
  if (typeof key === 'number') {
    return node.items ?? null;
  }
  const others = typeof node.additionalProperties === 'object' ? node.additionalProperties : null;
  return node.properties?.[key] ?? others;
}

/** Of several shapes, the one whose constants the value has. */
function choose(node: SchemaNode | null, value: unknown): SchemaNode | null {
  const shapes = node?.oneOf ?? node?.anyOf;
  if (shapes === undefined || typeof value !== 'object' || value === null) {
    return node;
  }
  const fields = value as Record<string, unknown>;
  return (
    shapes.find((shape) =>
      Object.entries(shape.properties ?? {}).every(
        ([name, field]) => field.const === undefined || field.const === fields[name],
      ),
    ) ?? null
  );
}
