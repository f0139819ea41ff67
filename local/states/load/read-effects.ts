import type { Json } from '../../../core/json';
import type { Effects } from '../definition';
import type { Template } from '../template';
import { isJsonObject } from '../template';
import type { Fields } from './fields';

const variableName = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;

/** Assign and Output of a JSONata state, a rule or a catcher. */
export function readEffects(fields: Fields): Effects {
  const assign = fields.object('Assign');
  const entries = Object.entries(assign?.raw() ?? {});
  for (const [name] of entries) {
    checkVariableName(fields, name);
  }
  return {
    assign: entries.map(([name]) => [name, assign?.template(name) ?? { kind: 'literal', value: null }] as const),
    output: fields.template('Output'),
  };
}

function checkVariableName(fields: Fields, name: string): void {
  if (name === 'states') {
    fields.problem(`Assign: 'states' is reserved; choose another name for the variable`);
  } else if (name.endsWith('.$')) {
    fields.problem(
      `Assign: '${name}' is JSONPath and not allowed in JSONata; write the name without '.$' and an expression in {% %}`,
    );
  } else if (!variableName.test(name) || name.length > 80) {
    fields.problem(
      `Assign: '${name}' is no name for a variable (a letter or _, then letters, digits and _; at most 80 characters)`,
    );
  }
}

/**
 * Assign of a JSONPath state. JSONPath is not implemented; such states stand between JSONata ones in mixed machines, and
 * there only plain values and paths of the form `$.field.field` are read.
 */
export function readJsonPathEffects(fields: Fields): Effects {
  const assign = fields.object('Assign');
  return {
    assign: Object.entries(assign?.raw() ?? {}).map(([key, value]) => readPathEntry(fields, key, value)),
    output: null,
  };
}

function readPathEntry(fields: Fields, key: string, value: Json): readonly [string, Template] {
  if (!key.endsWith('.$')) {
    return [key, readPathTemplate(fields, value)];
  }
  const name = key.slice(0, -2);
  if (typeof value === 'string' && /^\$(?:\.[A-Za-z_][A-Za-z0-9_-]*)*$/.test(value)) {
    return [name, { kind: 'path', steps: value.split('.').slice(1), text: value }];
  }
  fields.problem(
    `Assign: '${key}' is ${JSON.stringify(value)}; of JSONPath only paths of the form '$.field.field' are supported: write the state in JSONata`,
  );
  return [name, { kind: 'literal', value: null }];
}

function readPathTemplate(fields: Fields, value: Json): Template {
  if (isJsonObject(value)) {
    return { kind: 'object', fields: Object.entries(value).map(([key, field]) => readPathEntry(fields, key, field)) };
  }
  if (Array.isArray(value)) {
    return { kind: 'array', items: value.map((item: Json) => readPathTemplate(fields, item)) };
  }
  return { kind: 'literal', value };
}
