import { Template } from 'aws-cdk-lib/assertions';
import { loadStateMachine } from '../../local/states/state-machine';
import { aslProblems } from './support/asl-problems';
import { definitionsOf, type DefinitionInTemplate, type StateInTemplate } from './support/definition-of';
import { exampleApp, resourcesOf, stacksOf } from './support/example-app';

const templates = new Map(stacksOf(exampleApp()).map((stack) => [stack.stackName, Template.fromStack(stack)]));
const machines = [...templates].flatMap(([stack, template]) =>
  [...definitionsOf(template)].map(([id, definition]) => [`${stack}/${id}`, definition] as const),
);
const functionTimeouts = new Map(
  resourcesOf(templates, 'AWS::Lambda::Function').map(([path, { Properties }]) => [
    path.slice(path.indexOf('/') + 1),
    Number(Properties['Timeout']),
  ]),
);

/** Every state of a machine, those inside maps and branches too. */
function statesOf(definition: DefinitionInTemplate): (readonly [string, StateInTemplate])[] {
  return Object.entries(definition.States).flatMap(([name, state]) => [
    [name, state] as const,
    ...(state.ItemProcessor === undefined ? [] : statesOf(state.ItemProcessor)),
    ...(state.Branches ?? []).flatMap(statesOf),
  ]);
}

const states = machines.flatMap(([machine, definition]) =>
  statesOf(definition).map(([name, state]) => [`${machine} '${name}'`, state] as const),
);
const tasks = states.filter(([, state]) => state.Type === 'Task');
const invocations = tasks.filter(([, state]) => state.Resource?.endsWith(':lambda:invoke') === true);
const maps = states.filter(([, state]) => state.Type === 'Map');

test('there are machines, tasks and maps to look at', () => {
  expect(machines.length).toBeGreaterThanOrEqual(3);
  expect(tasks.length).toBeGreaterThan(20);
  expect(maps.length).toBeGreaterThan(3);
});

test.each(machines)('%s is written in JSONata and ends at some time', (_name, definition) => {
  expect(definition.QueryLanguage).toBe('JSONata');
  expect(definition.TimeoutSeconds).toBeGreaterThan(0);
});

test.each(machines)('%s is what Step Functions accepts', (_name, definition) => {
  expect(aslProblems(definition)).toEqual([]);
});

test.each(machines)('%s is what the local cloud runs', (name, definition) => {
  expect(() => loadStateMachine({ name, arn: `arn:aws:states:::${name}`, definition })).not.toThrow();
});

test.each(tasks)('%s has a timeout and an end for its failure', (_name, state) => {
  expect(state.TimeoutSeconds).toBeGreaterThan(0);
  expect(state.Catch?.at(-1)?.ErrorEquals).toEqual(['States.ALL']);
});

test.each(tasks)('%s is tried again by name, and not for ever', (_name, state) => {
  expect(state.Retry?.length).toBeGreaterThan(0);
  for (const { ErrorEquals: names, MaxAttempts: attempts } of state.Retry ?? []) {
    expect(names).not.toContain('States.ALL');
    expect(names).not.toContain('States.TaskFailed');
    expect(attempts).toBeGreaterThan(0);
    expect(attempts).toBeLessThanOrEqual(10);
  }
});

test.each(invocations)('%s waits longer than its function may run', (_name, state) => {
  const id = /^<(.+)>$/.exec(String(state.Arguments?.['FunctionName']))?.[1] ?? '';
  expect(functionTimeouts.get(id)).toBeGreaterThan(0);
  expect(functionTimeouts.get(id)).toBeLessThan(state.TimeoutSeconds ?? 0);
});

test.each(maps)('%s has a bound on its concurrency', (_name, state) => {
  expect(state.MaxConcurrency).toBeGreaterThan(0);
});

test.each(machines)("no state of %s carries a secret's name", (_name, definition) => {
  // Inputs and outputs are logged: only the steps themselves read secrets.
  expect(JSON.stringify(definition)).not.toMatch(/password|secretsmanager/i);
});
