import type { Json } from '../../../core/json';
import type { NumberField, TextField } from '../definition';
import type { Bindings } from '../expression';
import { typeOf } from '../expression';
import { EvaluationFailure } from '../failure';
import type { Template } from '../template';
import { evaluateTemplate } from '../template';
import type { Thread, Visit } from './thread';

/** What `$states` holds beside input and context, where there is any. */
export interface Outcome {
  readonly result?: Json;
  readonly errorOutput?: Json;
}

/** Evaluates fields of the state that a line is in. */
export class Evaluation {
  readonly #bindings: Bindings;

  /** @param mapItem replaces `$states.context.Map`, for an ItemSelector */
  constructor(thread: Thread, visit: Visit, outcome: Outcome = {}, mapItem: Json | null = thread.mapContext) {
    this.#bindings = {
      ...thread.run.functions,
      ...thread.variables.visible,
      states: { input: visit.input.value, ...outcome, context: contextOf(thread, visit, mapItem) },
    };
  }

  async template(template: Template): Promise<Json> {
    return evaluateTemplate(template, this.#bindings);
  }

  async number(field: NumberField): Promise<number> {
    if (field.kind === 'number') {
      return field.value;
    }
    const value = await field.expression.evaluate(this.#bindings);
    return field.expression.expect('number', value) as number;
  }

  /** A whole number from `least` on. */
  async wholeNumber(field: NumberField, least: number, fieldName: string): Promise<number> {
    const value = await this.number(field);
    if (!Number.isInteger(value) || value < least) {
      throw new EvaluationFailure(
        `The ${fieldName} field must be a whole number of at least ${least} but was: ${value}`,
        fieldName,
      );
    }
    return value;
  }

  async text(field: TextField): Promise<string> {
    if (field.kind === 'text') {
      return field.text;
    }
    const value = await field.expression.evaluate(this.#bindings);
    return field.expression.expect('string', value) as string;
  }

  async list(template: Template): Promise<readonly Json[]> {
    const value = await this.template(template);
    if (template.kind === 'expression') {
      template.expression.expect('array', value);
    }
    if (!Array.isArray(value)) {
      throw new EvaluationFailure(`The Items field must be an array but was '${typeOf(value)}'`, 'Items');
    }
    return value as readonly Json[];
  }

  async condition(expression: Extract<Template, { kind: 'expression' }>['expression']): Promise<boolean> {
    return expression.expect('boolean', await expression.evaluate(this.#bindings)) as boolean;
  }
}

/** `$states.context`: AWS's context object. */
function contextOf(thread: Thread, visit: Visit, mapItem: Json | null): Json {
  const { execution, machine, roleArn } = thread.run;
  const retries = ['Task', 'Parallel', 'Map'].includes(visit.state.type) ? { RetryCount: visit.retryCount } : {};
  return {
    Execution: {
      Id: execution.arn,
      Input: execution.input,
      Name: execution.name,
      RoleArn: roleArn,
      StartTime: new Date(execution.startedAtMs).toISOString(),
      RedriveCount: 0,
    },
    StateMachine: { Id: machine.arn, Name: machine.name },
    State: { Name: visit.state.name, EnteredTime: visit.enteredTime, ...retries },
    ...(mapItem === null ? {} : { Map: mapItem }),
    ...(visit.taskToken === null ? {} : { Task: { Token: visit.taskToken } }),
  };
}
