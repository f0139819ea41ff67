import type { Duration } from 'aws-cdk-lib';
import type { State } from 'aws-cdk-lib/aws-stepfunctions';
import { Choice, Condition, Fail, Map, ProvideItems, Wait, WaitTime } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { Step } from '../constructs/step';

/** A value of a step's answer: `answer('lease')` is `{% $states.result.Payload.lease %}`. */
export function answer(field?: string): string {
  return `{% $states.result.Payload${field === undefined ? '' : `.${field}`} %}`;
}

export function expression(text: string): string {
  return `{% ${text} %}`;
}

/** A condition in JSONata. */
export function is(text: string): Condition {
  return Condition.jsonata(expression(text));
}

/** @param assign what is set when none of its conditions holds */
export function choice(scope: Construct, name: string, assign?: Readonly<Record<string, unknown>>): Choice {
  return Choice.jsonata(scope, name, assign === undefined ? {} : { assign: { ...assign } });
}

/** Waits between two looks. The first looks follow each other sooner: much of what is waited for takes a second or two. */
export function pause(scope: Construct, name: string, tries: string, seconds: number): Wait {
  return Wait.jsonata(scope, name, { time: WaitTime.seconds(expression(`${tries} <= 3 ? 2 : ${seconds}`)) });
}

export function wait(scope: Construct, name: string, duration: Duration): Wait {
  return Wait.jsonata(scope, name, { time: WaitTime.duration(duration) });
}

export interface EachOptions {
  /** The variable with the items. */
  readonly items: string;
  readonly concurrency: number;
  readonly step: Step;
  /** The item is `$states.input`. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The name of the state that does one item, and of the one in which it fails. */
  readonly one: string;
  readonly failed: string;
  /** @default none */
  readonly assign?: Readonly<Record<string, unknown>>;
  /** Where the first item that fails leads; it finds the error in `$failure`. */
  readonly otherwise: State;
}

/** A step for each item of a variable. What the items answer is in the history, not handed on. */
export function forEach(scope: Construct, name: string, options: EachOptions): Map {
  const failed = Fail.jsonata(scope, options.failed, {
    error: expression('$itemFailure.Error'),
    cause: expression('$itemFailure.Cause'),
  });
  const map = Map.jsonata(scope, name, {
    items: ProvideItems.jsonata(expression(options.items)),
    maxConcurrency: options.concurrency,
    outputs: {},
    ...(options.assign === undefined ? {} : { assign: { ...options.assign } }),
  });
  map.itemProcessor(
    options.step.state(options.one, {
      input: options.input,
      otherwise: failed,
      failureVariable: 'itemFailure',
    }),
  );
  map.addCatch(options.otherwise, { errors: ['States.ALL'], assign: { failure: '{% $states.errorOutput %}' } });
  return map;
}
