import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';

/** What a rule hands to its target: one of four ways. */
export type TargetInput =
  | { readonly kind: 'event' }
  | { readonly kind: 'constant'; readonly value: Json }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'template'; readonly paths: Readonly<Record<string, string>>; readonly template: string };

/** @throws InvalidInput when a template does not give JSON, or a path is none that EventBridge has */
export function targetInput(
  input: TargetInput,
  event: JsonObject,
  rule: { readonly name: string; readonly arn: string },
): Json {
  switch (input.kind) {
    case 'event':
      return event;
    case 'constant':
      return input.value;
    case 'path':
      return follow(event, input.path) ?? {};
    case 'template':
      return fill(input, event, rule);
  }
}

/** `<name>` inside quotes becomes text, outside of them JSON; a path that finds nothing is empty. */
function fill(
  { paths, template }: Extract<TargetInput, { kind: 'template' }>,
  event: JsonObject,
  rule: { readonly name: string; readonly arn: string },
): Json {
  const reserved: Readonly<Record<string, Json>> = {
    'aws.events.rule-arn': rule.arn,
    'aws.events.rule-name': rule.name,
    'aws.events.event.ingestion-time': event['time'] ?? '',
    'aws.events.event': event,
    'aws.events.event.json': event,
  };
  const valueOf = (name: string): Json | undefined => {
    const path = paths[name];
    return path === undefined ? reserved[name] : follow(event, path);
  };
  let quoted = false;
  const filled = template.replaceAll(/\\.|"|<([A-Za-z0-9_.-]+)>/g, (token, name: string | undefined) => {
    if (token === '"') {
      quoted = !quoted;
      return token;
    }
    if (name === undefined || (paths[name] === undefined && reserved[name] === undefined)) {
      return token;
    }
    const value = valueOf(name);
    if (quoted) {
      return value === undefined ? '' : escapeText(value);
    }
    return value === undefined ? '""' : JSON.stringify(value);
  });
  try {
    return JSON.parse(filled) as Json;
  } catch (thrown) {
    throw new RejoinError('InvalidInput', `rule '${rule.name}' makes no JSON of its event: ${filled}`, {
      cause: thrown,
    });
  }
}

function escapeText(value: Json): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return JSON.stringify(text).slice(1, -1);
}

/** `$`, or `$.detail.name` and so on; a name may be in quotes and brackets. */
function follow(event: JsonObject, path: string): Json | undefined {
  const steps = [...path.slice(1).matchAll(/\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^']+)'\]/g)];
  if (!path.startsWith('$') || steps.map(([whole]) => whole).join('') !== path.slice(1)) {
    throw new RejoinError('InvalidInput', `'${path}' is not a path into an event; use $.detail.name`);
  }
  return steps.reduce<Json | undefined>((at, [, name, index, quotedName]) => {
    const step = name ?? index ?? quotedName ?? '';
    return typeof at === 'object' && at !== null ? (at as JsonObject)[step] : undefined;
  }, event);
}
