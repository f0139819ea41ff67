import type { ChoiceState, FailState, Next, PassState, State, StateGraph, TaskState, WaitState } from '../definition';
import type { StateType } from '../history';
import { readTaskResource, supportedResources } from '../task-resource';
import { isJsonObject } from '../template';
import { parseTimestampMs } from '../timestamp';
import type { Fields } from './fields';
import { readEffects, readJsonPathEffects } from './read-effects';
import { mapFields, readMap } from './read-map';
import { readRecovery } from './read-recovery';

const common = ['Type', 'Comment', 'QueryLanguage'];
const after = ['Next', 'End'];
const effects = ['Assign', 'Output'];
const recovery = ['Retry', 'Catch'];

const jsonataFields: Readonly<Record<StateType, readonly string[]>> = {
  Task: [...common, 'Resource', 'Arguments', 'TimeoutSeconds', 'HeartbeatSeconds', ...effects, ...recovery, ...after],
  Pass: [...common, ...effects, ...after],
  Choice: [...common, 'Choices', 'Default', ...effects],
  Wait: [...common, 'Seconds', 'Timestamp', ...effects, ...after],
  Succeed: [...common, 'Output'],
  Fail: [...common, 'Error', 'Cause'],
  Parallel: [...common, 'Branches', 'Arguments', ...effects, ...recovery, ...after],
  Map: [...common, ...mapFields, ...effects, ...recovery, ...after],
};

/** JSONPath is not implemented: of its states only those that look at no data by path. */
const jsonPathFields: Readonly<Partial<Record<StateType, readonly string[]>>> = {
  Pass: [...common, 'Assign', ...after],
  Succeed: common,
  Fail: [...common, 'Error', 'Cause'],
};

const longestSeconds = 99_999_999;

/** What reading a state needs to know of the machine around it. */
export interface StateSurroundings {
  readonly machineType: 'STANDARD' | 'EXPRESS';
  readonly language: 'JSONata' | 'JSONPath';
  /** Reads the states inside a branch or an item processor. */
  readonly readInner: (fields: Fields) => StateGraph;
}

/** Null after a problem that leaves no state to speak of. */
export function readState(name: string, fields: Fields, surroundings: StateSurroundings): State | null {
  const type = fields.oneOf('Type', Object.keys(jsonataFields) as StateType[]);
  if (type === null) {
    if (!fields.has('Type')) {
      fields.problem(`field 'Type' is missing`);
    }
    return null;
  }
  if (surroundings.language === 'JSONPath') {
    return readJsonPathState(name, type, fields);
  }
  fields.allowOnly(jsonataFields[type]);
  switch (type) {
    case 'Task':
      return readTask(name, fields, surroundings.machineType);
    case 'Pass':
      return { name, type, ...readEffects(fields), next: readNext(fields) };
    case 'Choice':
      return readChoice(name, fields);
    case 'Wait':
      return readWait(name, fields);
    case 'Succeed':
      return { name, type, ...readEffects(fields) };
    case 'Fail':
      return readFail(name, fields);
    case 'Parallel': {
      const branches = fields.objects('Branches');
      if (branches.length === 0) {
        fields.problem(`field 'Branches' must be a list of at least one branch`);
      }
      return {
        name,
        type,
        arguments: fields.template('Arguments'),
        branches: branches.map((branch) => {
          branch.allowOnly(['StartAt', 'States', 'Comment', 'QueryLanguage']);
          return surroundings.readInner(branch);
        }),
        ...readRecovery(fields),
        ...readEffects(fields),
        next: readNext(fields),
      };
    }
    case 'Map': {
      const processor = fields.object('ItemProcessor');
      if (processor === null) {
        fields.problem(`field 'ItemProcessor' is missing`);
        return null;
      }
      processor.allowOnly(['ProcessorConfig', 'StartAt', 'States', 'Comment', 'QueryLanguage']);
      const graph = surroundings.readInner(processor);
      return { name, type, ...readMap(fields, graph, surroundings.machineType), next: readNext(fields) };
    }
  }
}

function readJsonPathState(name: string, type: StateType, fields: Fields): PassState | State | null {
  const supported = jsonPathFields[type];
  if (supported === undefined) {
    fields.problem(
      `a ${type} state in JSONPath is not supported (of JSONPath only plain Pass, Succeed and Fail states are): set QueryLanguage to 'JSONata'`,
    );
    return null;
  }
  fields.allowOnly(supported, 'JSONPath');
  if (type === 'Pass') {
    return { name, type, ...readJsonPathEffects(fields), next: readNext(fields) };
  }
  return type === 'Succeed' ? { name, type, assign: [], output: null } : readFail(name, fields);
}

/** Next or End, exactly one. */
function readNext(fields: Fields): Next {
  const next = fields.text('Next');
  const end = fields.value('End');
  if (end !== undefined && end !== true) {
    fields.problem(`field 'End' must be true, but is ${JSON.stringify(end)}`);
  }
  if (fields.has('Next') === fields.has('End')) {
    fields.problem(fields.has('Next') ? `has both 'Next' and 'End'; keep one of them` : `needs 'Next' or 'End'`);
  }
  return next;
}

function readTask(name: string, fields: Fields, machineType: 'STANDARD' | 'EXPRESS'): TaskState | null {
  const arn = fields.requiredText('Resource');
  const resource = readTaskResource(arn);
  if (resource === null) {
    if (arn !== '') {
      fields.problem(`field 'Resource' is '${arn}'; supported: ${supportedResources.join(', ')}`);
    }
    return null;
  }
  if (machineType === 'EXPRESS' && resource.pattern !== 'request') {
    fields.problem(`field 'Resource' is '${arn}'; an EXPRESS state machine can't wait for a job or a task token`);
  }
  checkArguments(fields, resource);
  const timeoutSeconds = fields.numberField('TimeoutSeconds', { least: 1, most: longestSeconds, whole: true });
  const heartbeatSeconds = fields.numberField('HeartbeatSeconds', { least: 1, most: longestSeconds, whole: true });
  if (
    timeoutSeconds?.kind === 'number' &&
    heartbeatSeconds?.kind === 'number' &&
    heartbeatSeconds.value >= timeoutSeconds.value
  ) {
    fields.problem(
      `field 'HeartbeatSeconds' is ${heartbeatSeconds.value} and must be less than TimeoutSeconds, which is ${timeoutSeconds.value}`,
    );
  }
  return {
    name,
    type: 'Task',
    resource,
    arguments: fields.template('Arguments'),
    timeoutSeconds,
    heartbeatSeconds,
    ...readRecovery(fields),
    ...readEffects(fields),
    next: readNext(fields),
  };
}

/** Arguments written out in the definition are checked now; those of an expression when the task is called. */
function checkArguments(fields: Fields, resource: NonNullable<ReturnType<typeof readTaskResource>>): void {
  const given = fields.value('Arguments');
  if (resource.argumentNames === null || typeof given === 'string') {
    return;
  }
  if (!isJsonObject(given)) {
    fields.problem(
      `field 'Arguments' must be an object with ${resource.requiredArguments.join(', ')}, or an expression`,
    );
    return;
  }
  for (const name of resource.requiredArguments.filter((each) => !Object.hasOwn(given, each))) {
    fields.problem(`Arguments: field '${name}' is missing`);
  }
  fields.object('Arguments')?.allowOnly(resource.argumentNames);
}

function readChoice(name: string, fields: Fields): ChoiceState {
  const rules = fields.objects('Choices');
  if (rules.length === 0) {
    fields.problem(`field 'Choices' must be a list of at least one rule`);
  }
  return {
    name,
    type: 'Choice',
    choices: rules.map((rule) => {
      rule.allowOnly(['Condition', 'Next', 'Assign', 'Output', 'Comment']);
      const condition = rule.value('Condition');
      return {
        condition: typeof condition === 'boolean' ? condition : (rule.expression('Condition') ?? false),
        next: rule.requiredText('Next'),
        ...readEffects(rule),
      };
    }),
    default: fields.text('Default'),
    ...readEffects(fields),
  };
}

function readWait(name: string, fields: Fields): WaitState {
  if (fields.has('Seconds') === fields.has('Timestamp')) {
    fields.problem(`needs 'Seconds' or 'Timestamp', and not both`);
  }
  const rest = { name, type: 'Wait', ...readEffects(fields), next: readNext(fields) } as const;
  if (fields.has('Timestamp')) {
    const timestamp = fields.textField('Timestamp') ?? { kind: 'text', text: '' };
    if (timestamp.kind === 'text' && parseTimestampMs(timestamp.text) === null) {
      fields.problem(`field 'Timestamp' is '${timestamp.text}'; it must be of the form 2026-01-31T12:00:00Z`);
    }
    return { ...rest, until: { kind: 'timestamp', timestamp } };
  }
  const seconds = fields.numberField('Seconds', { least: 0, most: longestSeconds, whole: true });
  return { ...rest, until: { kind: 'seconds', seconds: seconds ?? { kind: 'number', value: 0 } } };
}

function readFail(name: string, fields: Fields): FailState {
  return { name, type: 'Fail', error: fields.textField('Error'), cause: fields.textField('Cause') };
}
