import type { HistoryEvent } from '../../../local/states/execution';
import { StateError } from '../../../local/states/execution';
import type { TestWorld } from './in-memory-world';
import { machineOf, start, testWorld } from './in-memory-world';

// The numbers of these stories are those that AWS gives to machines of the same form.

const lines = (history: readonly HistoryEvent[]): readonly string[] =>
  history.map((event) => {
    const iteration =
      event.mapIterationStartedEventDetails ??
      event.mapIterationAbortedEventDetails ??
      event.mapIterationFailedEventDetails;
    return `${event.id} < ${event.previousEventId} ${event.type}${iteration === undefined ? '' : ` ${iteration.index}`}`;
  });

const pass = { Type: 'Pass', End: true };
const invoke = {
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: 'step' },
  End: true,
};

test('iterations one after the other: each follows the last event of the one before', async () => {
  const map = {
    Type: 'Map',
    Items: [1, 2],
    MaxConcurrency: 1,
    ItemProcessor: { StartAt: 'Pass', States: { Pass: pass } },
    End: true,
  };
  const execution = start(machineOf({ Each: map }), testWorld());
  await execution.finished;
  expect(lines(execution.history)).toEqual([
    '1 < 0 ExecutionStarted',
    '2 < 0 MapStateEntered',
    '3 < 2 MapStateStarted',
    '4 < 3 MapIterationStarted 0',
    '5 < 4 PassStateEntered',
    '6 < 5 PassStateExited',
    '7 < 6 MapIterationSucceeded',
    '8 < 6 MapIterationStarted 1',
    '9 < 8 PassStateEntered',
    '10 < 9 PassStateExited',
    '11 < 10 MapIterationSucceeded',
    '12 < 11 MapStateSucceeded',
    '13 < 11 MapStateExited',
    '14 < 13 ExecutionSucceeded',
  ]);
});

test('a failing iteration ends the others, and a caught map goes on from MapStateFailed', async () => {
  const world: TestWorld = testWorld(async (call) => {
    await world.clock.sleep(world.calls.length * 1000, call.signal);
    throw new StateError('Throttled', '');
  });
  const map = {
    Type: 'Map',
    Items: [1, 2],
    ItemProcessor: { StartAt: 'Invoke', States: { Invoke: invoke } },
    Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }],
    End: true,
  };
  const execution = start(machineOf({ Each: map, Caught: pass }), world);
  await execution.finished;
  expect(lines(execution.history)).toEqual([
    '1 < 0 ExecutionStarted',
    '2 < 0 MapStateEntered',
    '3 < 2 MapStateStarted',
    '4 < 3 MapIterationStarted 0',
    '5 < 3 MapIterationStarted 1',
    '6 < 4 TaskStateEntered',
    '7 < 5 TaskStateEntered',
    '8 < 6 TaskScheduled',
    '9 < 8 TaskStarted',
    '10 < 7 TaskScheduled',
    '11 < 10 TaskStarted',
    '12 < 9 TaskFailed',
    '13 < 12 MapIterationFailed 0',
    '14 < 12 TaskStateAborted',
    '15 < 12 MapIterationAborted 1',
    '16 < 12 TaskStateAborted',
    '17 < 12 MapStateFailed',
    '18 < 17 MapStateExited',
    '19 < 18 PassStateEntered',
    '20 < 19 PassStateExited',
    '21 < 20 ExecutionSucceeded',
  ]);
});

test('a retried map starts again after the failing iteration, and fails once', async () => {
  const map = {
    Type: 'Map',
    Items: [1],
    ItemProcessor: { StartAt: 'Fails', States: { Fails: { Type: 'Fail', Error: 'E' } } },
    Retry: [{ ErrorEquals: ['E'], MaxAttempts: 1 }],
    End: true,
  };
  const execution = start(machineOf({ Each: map }), testWorld());
  await execution.finished;
  expect(lines(execution.history).slice(1)).toEqual([
    '2 < 0 MapStateEntered',
    '3 < 2 MapStateStarted',
    '4 < 3 MapIterationStarted 0',
    '5 < 4 FailStateEntered',
    '6 < 5 MapIterationFailed 0',
    '7 < 5 MapStateStarted',
    '8 < 7 MapIterationStarted 0',
    '9 < 8 FailStateEntered',
    '10 < 9 MapIterationFailed 0',
    '11 < 9 MapStateFailed',
    '12 < 11 ExecutionFailed',
  ]);
});

test('branches follow ParallelStateStarted, and what follows the state follows the branch that ended last', async () => {
  const branch = (name: string): object => ({ StartAt: name, States: { [name]: pass } });
  const execution = start(
    machineOf({ Both: { Type: 'Parallel', Branches: [branch('Left'), branch('Right')], End: true } }),
    testWorld(),
  );
  await execution.finished;
  expect(lines(execution.history).slice(1)).toEqual([
    '2 < 0 ParallelStateEntered',
    '3 < 2 ParallelStateStarted',
    '4 < 3 PassStateEntered',
    '5 < 4 PassStateExited',
    '6 < 3 PassStateEntered',
    '7 < 6 PassStateExited',
    '8 < 7 ParallelStateSucceeded',
    '9 < 7 ParallelStateExited',
    '10 < 9 ExecutionSucceeded',
  ]);
});

test('a failing branch aborts the states around it', async () => {
  const world = testWorld(() => {
    throw new StateError('E', '');
  });
  const slow = { StartAt: 'Wait', States: { Wait: { Type: 'Wait', Seconds: 60, End: true } } };
  const execution = start(
    machineOf({
      Both: { Type: 'Parallel', Branches: [slow, { StartAt: 'Invoke', States: { Invoke: invoke } }], End: true },
    }),
    world,
  );
  await execution.finished;
  expect(lines(execution.history).slice(3)).toEqual([
    '4 < 3 WaitStateEntered',
    '5 < 3 TaskStateEntered',
    '6 < 5 TaskScheduled',
    '7 < 6 TaskStarted',
    '8 < 7 TaskFailed',
    '9 < 8 WaitStateAborted',
    '10 < 8 TaskStateAborted',
    '11 < 8 ParallelStateFailed',
    '12 < 11 ExecutionFailed',
  ]);
});

test('a failed evaluation stands beside the event before it', async () => {
  const execution = start(
    machineOf({ First: { Type: 'Pass', Next: 'Second' }, Second: { Type: 'Pass', Output: '{% $no %}', End: true } }),
    testWorld(),
  );
  await execution.finished;
  expect(lines(execution.history).slice(2)).toEqual([
    '3 < 2 PassStateExited',
    '4 < 3 PassStateEntered',
    '5 < 3 EvaluationFailed',
    '6 < 5 ExecutionFailed',
  ]);
});

test('a nested execution is scheduled, started, submitted and succeeds, with its output as JSON for .sync:2 and as text for .sync', async () => {
  const answer = {
    ExecutionArn: 'arn:child',
    StartDate: '2026-01-01T00:00:00Z',
    Input: '{}',
    Output: '{"rows":7}',
    Status: 'SUCCEEDED',
  };
  const world = testWorld((call) => {
    call.submitted({ ExecutionArn: 'arn:child', StartDate: '2026-01-01T00:00:00Z' });
    return answer;
  });
  const nested = (version: string): object => ({
    Type: 'Task',
    Resource: `arn:aws:states:::states:startExecution.sync${version}`,
    Arguments: { StateMachineArn: 'arn:machine', Input: {} },
  });
  const execution = start(
    machineOf({
      Json: { ...nested(':2'), Assign: { rows: '{% $states.result.Output.rows %}' }, Next: 'Text' },
      Text: { ...nested(''), Output: '{% [$rows, $states.result.Output] %}', End: true },
    }),
    world,
  );
  expect((await execution.finished).output).toEqual([7, '{"rows":7}']);
  expect(lines(execution.history).slice(1, 7)).toEqual([
    '2 < 0 TaskStateEntered',
    '3 < 2 TaskScheduled',
    '4 < 3 TaskStarted',
    '5 < 4 TaskSubmitted',
    '6 < 5 TaskSucceeded',
    '7 < 6 TaskStateExited',
  ]);
  expect(execution.history[2]?.taskScheduledEventDetails).toEqual({
    resourceType: 'states',
    resource: 'startExecution.sync:2',
    region: 'eu-central-1',
    parameters: '{"StateMachineArn":"arn:machine","Input":{}}',
  });
});

test('an AWS SDK call is handed to the runner as it is', async () => {
  const world = testWorld((call) => call.resource);
  const resource = 'arn:aws:states:::aws-sdk:rds:describeDBInstances';
  const execution = start(
    machineOf({ Ask: { Type: 'Task', Resource: resource, Arguments: { Any: 'thing' }, End: true } }),
    world,
  );
  expect((await execution.finished).output).toBe(resource);
  expect(world.calls[0]?.arguments).toEqual({ Any: 'thing' });
  expect(execution.history[3]?.taskStartedEventDetails).toEqual({
    resourceType: 'aws-sdk:rds',
    resource: 'describeDBInstances',
  });
});
