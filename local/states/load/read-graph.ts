import type { Next, State, StateGraph } from '../definition';
import { isJsonObject } from '../template';
import { Fields } from './fields';
import { readState } from './read-state';

/** What is known of a whole machine while its scopes are read. */
export interface Reading {
  readonly machineType: 'STANDARD' | 'EXPRESS';
  readonly problems: string[];
  /** State names must be unique over all scopes. */
  readonly stateNames: Set<string>;
}

type Language = 'JSONata' | 'JSONPath';

/** Reads one scope and those inside it. Notes what is wrong in `reading.problems`. */
export function readGraph(scope: Fields, outerLanguage: Language, reading: Reading): StateGraph {
  const language = readLanguage(scope, outerLanguage);
  const raw = scope.value('States');
  const states = new Map<string, State>();
  const startAt = scope.requiredText('StartAt');
  if (!isJsonObject(raw) || Object.keys(raw).length === 0) {
    scope.problem(`field 'States' must be an object with at least one state`);
    return { startAt, states };
  }
  for (const [name, definition] of Object.entries(raw)) {
    const state = readNamed(name, definition, { scope, language, reading });
    if (state !== null) {
      states.set(name, state);
    }
  }
  checkTransitions(scope, startAt, new Set(Object.keys(raw)), states);
  return { startAt, states };
}

interface ScopeReading {
  readonly scope: Fields;
  readonly language: Language;
  readonly reading: Reading;
}

function readNamed(name: string, definition: unknown, { scope, language, reading }: ScopeReading): State | null {
  if (!isJsonObject(definition)) {
    scope.problem(`state '${name}' must be an object, but is ${JSON.stringify(definition)}`);
    return null;
  }
  const fields = new Fields(definition, `state '${name}'`, '', reading.problems);
  if (reading.stateNames.has(name)) {
    fields.problem(`the name is used twice; state names must be unique over the whole state machine`);
  }
  reading.stateNames.add(name);
  if (name.length > 80) {
    fields.problem(`the name has ${name.length} characters; at most 80 are allowed`);
  }
  const stateLanguage = readLanguage(fields, language);
  return readState(name, fields, {
    machineType: reading.machineType,
    language: stateLanguage,
    readInner: (inner) => readGraph(inner, stateLanguage, reading),
  });
}

function readLanguage(fields: Fields, outer: Language): Language {
  const language = fields.oneOf('QueryLanguage', ['JSONata', 'JSONPath']) ?? outer;
  if (outer === 'JSONata' && language === 'JSONPath') {
    fields.problem(`field 'QueryLanguage' is 'JSONPath', but what is around it is JSONata`);
  }
  return language;
}

/** Where a state can go; null stands for an end. */
function targetsOf(state: State): readonly Next[] {
  switch (state.type) {
    case 'Succeed':
    case 'Fail':
      return [null];
    case 'Choice':
      return [...state.choices.map((rule) => rule.next), ...(state.default === null ? [] : [state.default])];
    case 'Task':
    case 'Parallel':
    case 'Map':
      return [state.next, ...state.catch.map((catcher) => catcher.next)];
    case 'Pass':
    case 'Wait':
      return [state.next];
  }
}

function checkTransitions(
  scope: Fields,
  startAt: string,
  names: ReadonlySet<string>,
  states: ReadonlyMap<string, State>,
): void {
  const listed = [...names].map((name) => `'${name}'`).join(', ');
  if (startAt !== '' && !names.has(startAt)) {
    scope.problem(`StartAt names the state '${startAt}', which does not exist here (states: ${listed})`);
    return;
  }
  const reached = new Set<string>();
  const toVisit = [startAt];
  for (let name = toVisit.pop(); name !== undefined; name = toVisit.pop()) {
    const state = states.get(name);
    if (reached.has(name)) {
      continue;
    }
    reached.add(name);
    for (const target of state === undefined ? [] : targetsOf(state)) {
      if (target !== null && target !== '') {
        if (names.has(target)) {
          toVisit.push(target);
        } else {
          scope.problem(`state '${name}' goes to '${target}', which does not exist here (states: ${listed})`);
        }
      }
    }
  }
  // A state that could not be read hides where it goes; its own problem comes first.
  if (states.size === names.size) {
    for (const name of names) {
      if (!reached.has(name)) {
        scope.problem(`state '${name}' can't be reached from '${startAt}'`);
      }
    }
  }
  if (states.size === names.size && ![...states.values()].some((state) => targetsOf(state).includes(null))) {
    scope.problem(`no state ends: give one 'End': true, or add a Succeed or Fail state`);
  }
}
