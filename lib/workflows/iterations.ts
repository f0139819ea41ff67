import type { IChainable, State } from 'aws-cdk-lib/aws-stepfunctions';
import { Fail, Map as InlineMap, Pass, ProvideItems } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';

export interface IterationsProps {
  /** The map's name: a sentence for the operator. */
  readonly name: string;
  /** An expression for the list. */
  readonly items: string;
  readonly maxConcurrency: number;
  /** What happens to each item. */
  readonly story: IChainable;
  /** Variables that the map sets; the iterations' answers are `$states.result`. */
  readonly assign?: Readonly<Record<string, unknown>>;
  /** Where an error leads, by its name; the first that fits. It finds `{Error, Cause}` in `$failure`. */
  readonly otherwise: readonly { readonly errors: readonly string[]; readonly state: State }[];
}

/** A map over a list that is small enough for a state: an error of one iteration ends it under its own name. */
export function iterations(scope: Construct, props: IterationsProps): InlineMap {
  const map = InlineMap.jsonata(scope, props.name, {
    items: ProvideItems.jsonata(props.items),
    maxConcurrency: props.maxConcurrency,
    outputs: '{% null %}',
    ...(props.assign === undefined ? {} : { assign: { ...props.assign } }),
  });
  map.itemProcessor(props.story);
  for (const { errors, state } of props.otherwise) {
    map.addCatch(state, { errors: [...errors], assign: { failure: '{% $states.errorOutput %}' } });
  }
  return map;
}

/** Ends an iteration, and so its map, with the error that a step gave. */
export function iterationFailed(scope: Construct, name: string, variable: string): Fail {
  return Fail.jsonata(scope, name, {
    error: `{% $${variable}.Error %}`,
    cause: `{% $exists($${variable}.Cause) ? $${variable}.Cause : '' %}`,
  });
}

/** Begins work that is handed on from call to call; `$turn` counts them. */
export function beginTurns(scope: Construct, name: string, assign: Readonly<Record<string, unknown>> = {}): Pass {
  return Pass.jsonata(scope, name, { assign: { turn: 0, ...assign } });
}

/** Ends work that took too many calls. */
export function outOfTurns(scope: Construct, name: string): Fail {
  return Fail.jsonata(scope, name, { error: 'States.Timeout', cause: name });
}

/** Ends an iteration well. @param output an expression */
export function iterationDone(scope: Construct, name: string, output = '{% null %}'): Pass {
  return Pass.jsonata(scope, name, { outputs: output });
}

/** The error in a variable, in words: a step's own message, or what the service says. An expression without its braces. */
export function failureInWords(variable: string): string {
  const cause = `$${variable}.Cause`;
  const said = `($contains(${cause}, '"errorMessage"') ? $parse(${cause}).errorMessage : ${cause})`;
  return `($exists(${cause}) ? ${said} & ' (' & $${variable}.Error & ')' : $${variable}.Error)`;
}
