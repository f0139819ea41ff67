import type { JsonObject } from '../../core/json';
import type { StateGraph } from './definition';
import { Fields } from './load/fields';
import { readGraph } from './load/read-graph';
import { isJsonObject } from './template';

export interface StateMachine {
  readonly name: string;
  readonly arn: string;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly definition: JsonObject;
  readonly graph: StateGraph;
  /** Null: no limit is set. */
  readonly timeoutSeconds: number | null;
}

/** A definition that Step Functions, or this interpreter, does not accept. The message lists every problem. */
export class InvalidDefinition extends Error {
  override readonly name = 'InvalidDefinition';
  readonly problems: readonly string[];

  constructor(machineName: string, problems: readonly string[]) {
    super(`state machine '${machineName}' can't be loaded:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** As large as Step Functions accepts a definition. */
const definitionLimitBytes = 1024 * 1024;

const machineFields = ['Comment', 'StartAt', 'States', 'TimeoutSeconds', 'Version', 'QueryLanguage'];

/**
 * Reads a definition in the Amazon States Language. Strict: a field or value that this interpreter does not implement is a
 * problem, never ignored.
 *
 * @throws InvalidDefinition
 */
export function loadStateMachine(options: {
  readonly name: string;
  readonly arn: string;
  readonly definition: string | object;
  readonly type?: 'STANDARD' | 'EXPRESS';
}): StateMachine {
  const { name, arn, type = 'STANDARD' } = options;
  const definition = parseDefinition(name, options.definition);
  const problems: string[] = [];
  const fields = new Fields(definition, 'state machine', '', problems);
  fields.allowOnly(machineFields);
  fields.oneOf('Version', ['1.0']);
  const timeoutSeconds = fields.number('TimeoutSeconds', { least: 1, most: 99_999_999, whole: true });
  const graph = readGraph(fields, 'JSONPath', { machineType: type, problems, stateNames: new Set() });
  if (problems.length > 0) {
    throw new InvalidDefinition(name, [...new Set(problems)]);
  }
  return { name, arn, type, definition, graph, timeoutSeconds };
}

function parseDefinition(name: string, given: string | object): JsonObject {
  let definition: unknown;
  try {
    // What is given as an object is copied: later changes to it must not change the machine.
    const text = typeof given === 'string' ? given : JSON.stringify(given);
    if (Buffer.byteLength(text) > definitionLimitBytes) {
      throw new InvalidDefinition(name, [
        `the definition has ${Buffer.byteLength(text)} bytes; at most ${definitionLimitBytes} are allowed`,
      ]);
    }
    definition = JSON.parse(text);
  } catch (error) {
    if (error instanceof InvalidDefinition) {
      throw error;
    }
    throw new InvalidDefinition(name, [
      `the definition is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
  if (!isJsonObject(definition)) {
    throw new InvalidDefinition(name, ['the definition must be an object with StartAt and States']);
  }
  return definition;
}
