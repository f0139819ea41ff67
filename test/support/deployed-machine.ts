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
}

/** Synthesizes what `build` puts into a stack: one machine. Takes a second. */
export function deployMachine(name: string, build: (stack: Stack) => void): DeployedMachine {
  const stack = stackForTest();
  build(stack);
  const template = Template.fromStack(stack);
  const functions = template.findResources('AWS::Lambda::Function') as Record<
    string,
    { readonly Metadata?: Readonly<Record<string, string>> }
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
  };
}

/** The step of a file, as it is deployed but for its ports. */
export async function stepOf(entry: string, ports: unknown): Promise<StepHandler<Json>> {
  const module = (await import(`../../${entry.replace(/\.ts$/, '')}`)) as {
    makeStep: (ports: unknown) => StepHandler<Json>;
  };
  return module.makeStep(ports);
}

const remainingMs = 840_000;

/** Runs the step that a state calls, and answers as Lambda does, whatever the step ends with. */
export async function answerTask(
  { entries }: DeployedMachine,
  call: TaskCall,
  step: (entry: string) => Promise<StepHandler<Json>>,
): Promise<Json> {
  const { FunctionName: name, Payload: event } = call.arguments as { FunctionName: string; Payload: Json };
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
