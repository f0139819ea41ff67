import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { Json } from '../../core/json';
import type { Objects } from '../../core/ports/objects';
import type { StepHandler } from '../../core/step/define-step';
import { StateError, type ItemSource, type TaskCall } from '../../local/states/execution';
import { loadStateMachine, type StateMachine } from '../../local/states/state-machine';
import { definitionOf } from '../lib/support/definition-of';
import { stackForTest } from '../lib/support/surroundings-for-test';
import { Killed } from './mortal-calls';

/** A machine as it is synthesized, with the file of each step by the function that its definition calls. */
export interface DeployedMachine {
  readonly machine: StateMachine;
  readonly entries: ReadonlyMap<string, string>;
  /** By the same function: how long one call of it may take. */
  readonly limitsMs: ReadonlyMap<string, number>;
}

/** Synthesizes what `build` puts into a stack: one machine. Takes a second. */
export function deployMachine(name: string, build: (stack: Stack) => void): DeployedMachine {
  const stack = stackForTest();
  build(stack);
  const template = Template.fromStack(stack);
  const functions = template.findResources('AWS::Lambda::Function') as Record<
    string,
    { readonly Metadata?: Readonly<Record<string, string>>; readonly Properties: { readonly Timeout?: number } }
  >;
  return {
    machine: loadStateMachine({
      name: `rejoin-${name}`,
      arn: `arn:aws:states:eu-central-1:111122223333:stateMachine:rejoin-${name}`,
      definition: definitionOf(template),
    }),
    entries: new Map(
      Object.entries(functions).map(([id, { Metadata }]) => [`<${id}>`, Metadata?.['rejoin:entry'] ?? '']),
    ),
    limitsMs: new Map(
      Object.entries(functions).map(([id, { Properties }]) => [`<${id}>`, (Properties.Timeout ?? 3) * 1_000]),
    ),
  };
}

/** The step of a file, as it is deployed but for its ports. */
export async function stepOf(entry: string, ports: unknown): Promise<StepHandler<Json>> {
  const module = (await import(`../../lambdas/${entry.replace(/^lambdas\//, '').replace(/\.ts$/, '')}.ts`)) as {
    makeStep: (ports: unknown) => StepHandler<Json>;
  };
  return module.makeStep(ports);
}

const remainingMs = 840_000;

/** The function that a state calls, and what it gives it. */
export function askedOf(call: TaskCall): { readonly name: string; readonly event: Json } {
  const { FunctionName: name, Payload: event } = call.arguments as { FunctionName: string; Payload: Json };
  return { name, event };
}

/** Runs the step that a state calls, and answers as Lambda does, whatever the step ends with. */
export async function answerTask(
  { entries }: DeployedMachine,
  call: TaskCall,
  step: (entry: string) => Promise<StepHandler<Json>>,
): Promise<Json> {
  const { name, event } = askedOf(call);
  try {
    const handler = await step(entries.get(name) ?? '');
    const result = await handler(event, { getRemainingTimeInMillis: () => remainingMs });
    return { Payload: JSON.parse(JSON.stringify(result)) as Json, StatusCode: 200, ExecutedVersion: '$LATEST' };
  } catch (thrown) {
    if (thrown instanceof Killed) {
      throw new StateError('Sandbox.Timedout', thrown.message);
    }
    const { name: errorType, message } = thrown as Error;
    throw new StateError(errorType, JSON.stringify({ errorType, errorMessage: message }));
  }
}

/** Where a distributed map finds its items, and leaves its results. */
export function itemsIn(objects: Pick<Objects, 'read' | 'write'>): ItemSource {
  return {
    getObject: async (_bucket, key) => objects.read(key),
    listObjects: async () => [],
    putObject: async (_bucket, key, body) => objects.write(key, body),
  };
}
