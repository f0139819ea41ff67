import { Duration } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Fail, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import { Step } from '../../lib/constructs/step';
import { Workflow } from '../../lib/constructs/workflow';
import { definitionOf } from './support/definition-of';
import { stackForTest } from './support/surroundings-for-test';

function templateOf(stateTimeout?: Duration): Template {
  const stack = stackForTest();
  new Workflow(stack, 'Workflow', {
    name: 'example',
    comment: 'An example',
    timeout: Duration.hours(1),
    definition: (workflow) => {
      const step = new Step(workflow, 'ConfirmFailure', {
        entry: 'starter/start-execution',
        timeout: Duration.seconds(20),
        reaches: 'databases',
      });
      return step
        .state('Confirm the failure', {
          input: { cluster: '{% $cluster %}' },
          assign: { verdict: '{% $states.result.Payload.verdict %}' },
          retry: ['ChunkDamaged'],
          otherwise: new Fail(workflow, 'Failed'),
          ...(stateTimeout === undefined ? {} : { timeout: stateTimeout }),
        })
        .next(new Succeed(workflow, 'Done'));
    },
  });
  return Template.fromStack(stack);
}

test('a state gives its step the run, the state and the input, and takes its answer', () => {
  const state = definitionOf(templateOf()).States['Confirm the failure'];
  expect(state?.Arguments?.['Payload']).toEqual({
    run: {
      machine: 'example',
      execution: '{% $states.context.Execution.Name %}',
      state: '{% $states.context.State.Name %}',
    },
    input: { cluster: '{% $cluster %}' },
  });
  expect(state).toMatchObject({
    Type: 'Task',
    TimeoutSeconds: 20,
    Output: '{% $states.result.Payload %}',
    Assign: { verdict: '{% $states.result.Payload.verdict %}' },
    Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Failed', Assign: { failure: '{% $states.errorOutput %}' } }],
  });
});

test('a state retries by name, at most 4 times, what it was asked to and what is transient', () => {
  const retry = definitionOf(templateOf()).States['Confirm the failure']?.Retry;
  expect(retry).toEqual([
    {
      ErrorEquals: expect.arrayContaining(['ChunkDamaged', 'ApiThrottled', 'Lambda.ServiceException']) as unknown,
      IntervalSeconds: 1,
      BackoffRate: 2,
      MaxAttempts: 4,
      MaxDelaySeconds: 30,
      JitterStrategy: 'FULL',
    },
  ]);
  expect(retry?.[0]?.ErrorEquals).not.toContain('States.ALL');
});

test('the function ends before the state gives up on it, and says which file it is', () => {
  expect(Object.values(templateOf().findResources('AWS::Lambda::Function'))).toEqual([
    expect.objectContaining({
      Properties: expect.objectContaining({ Timeout: 19 }) as unknown,
      Metadata: { 'rejoin:entry': 'lambdas/starter/start-execution.ts' },
    }),
  ]);
});

test('a state that would give up before its step does is refused', () => {
  expect(() => templateOf(Duration.seconds(19))).toThrow(
    "state 'Confirm the failure' waits 19 s for a step that may take 19 s; give it more, or the step less",
  );
});
