import type { TaskCall } from '../../../local/states/execution';
import { StateError } from '../../../local/states/execution';
import { machineOf, start, testWorld } from './in-memory-world';

const functionArn = 'arn:aws:lambda:eu-central-1:111111111111:function:step';

const task = (more: object): object => ({ Type: 'Task', Resource: functionArn, End: true, ...more });

const failing = (name: string) => (): never => {
  throw new StateError(name, 'on purpose');
};

/** Runs one task that always fails, and gives the seconds at which it was called. */
async function secondsOfCalls(retry: readonly object[], error = 'Throttled', seed = 1): Promise<readonly number[]> {
  const world = testWorld(failing(error), seed);
  const startMs = world.clock.nowMs();
  const seconds: number[] = [];
  const answer = world.tasks.run.bind(world.tasks);
  world.tasks.run = async (call: TaskCall) => {
    seconds.push((world.clock.nowMs() - startMs) / 1000);
    return answer(call);
  };
  const result = await start(machineOf({ Call: task({ Retry: retry }) }), world).finished;
  expect(result).toMatchObject({ status: 'FAILED', error, cause: 'on purpose' });
  return seconds;
}

test.each([
  [
    'three attempts after the first, doubling from 1 s, where nothing else is said',
    [{ ErrorEquals: ['Throttled'] }],
    [0, 1, 3, 7],
  ],
  ['MaxAttempts 0 is one call', [{ ErrorEquals: ['Throttled'], MaxAttempts: 0 }], [0]],
  ['an empty Retry is one call', [], [0]],
  [
    'a delay never grows past MaxDelaySeconds',
    [{ ErrorEquals: ['Throttled'], IntervalSeconds: 2, BackoffRate: 3, MaxAttempts: 4, MaxDelaySeconds: 7 }],
    [0, 2, 8, 15, 22],
  ],
  [
    'a rate of 1 keeps the interval',
    [{ ErrorEquals: ['Throttled'], IntervalSeconds: 5, BackoffRate: 1, MaxAttempts: 2 }],
    [0, 5, 10],
  ],
  [
    'the first entry that names the error decides, also when it is used up',
    [{ ErrorEquals: ['Throttled'], MaxAttempts: 1 }, { ErrorEquals: ['States.ALL'] }],
    [0, 1],
  ],
  ['States.TaskFailed names any error of a task', [{ ErrorEquals: ['States.TaskFailed'], MaxAttempts: 1 }], [0, 1]],
  ['a misspelt name never matches', [{ ErrorEquals: ['State.ALL'] }], [0]],
])('%s', async (_rule, retry, expected) => {
  expect(await secondsOfCalls(retry)).toEqual(expected);
});

test('full jitter waits somewhere between nothing and the whole delay, the same for the same seed', async () => {
  const retry = [
    { ErrorEquals: ['Throttled'], IntervalSeconds: 10, BackoffRate: 2, MaxAttempts: 4, JitterStrategy: 'FULL' },
  ];
  const seconds = await secondsOfCalls(retry, 'Throttled', 7);
  const delays = seconds.slice(1).map((at, index) => at - (seconds[index] ?? 0));
  delays.forEach((delay, index) => {
    expect(delay).toBeLessThan(10 * 2 ** index);
  });
  expect(new Set(delays).size).toBe(4);
  expect(await secondsOfCalls(retry, 'Throttled', 7)).toEqual(seconds);
  expect(await secondsOfCalls(retry, 'Throttled', 8)).not.toEqual(seconds);
});

test('each entry counts its own attempts, and the attempt is told to the task', async () => {
  const errors = ['A', 'B', 'A', 'B', 'A'];
  const world = testWorld((call) => {
    const error = errors[call.attempt - 1];
    if (error !== undefined) {
      throw new StateError(error, '');
    }
    return 'done';
  });
  const retry = [
    { ErrorEquals: ['A'], MaxAttempts: 3, IntervalSeconds: 1, BackoffRate: 1 },
    { ErrorEquals: ['B'], MaxAttempts: 2, IntervalSeconds: 10, BackoffRate: 1 },
  ];
  const result = await start(machineOf({ Call: task({ Retry: retry }) }), world).finished;
  expect(result).toMatchObject({ status: 'SUCCEEDED', output: 'done' });
  expect(world.calls.map((call) => call.attempt)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(result.stoppedAtMs - Date.UTC(2026, 0, 1)).toBe(23_000);
});

test('retries of a task leave no event of their own: only what each call does', async () => {
  const world = testWorld(failing('Throttled'));
  const execution = start(
    machineOf({ Call: task({ Retry: [{ ErrorEquals: ['Throttled'], MaxAttempts: 1 }] }) }),
    world,
  );
  await execution.finished;
  expect(execution.history.map((event) => event.type)).toEqual([
    'ExecutionStarted',
    'TaskStateEntered',
    'LambdaFunctionScheduled',
    'LambdaFunctionStarted',
    'LambdaFunctionFailed',
    'LambdaFunctionScheduled',
    'LambdaFunctionStarted',
    'LambdaFunctionFailed',
    'ExecutionFailed',
  ]);
});

test('the first catcher that names the error takes over, with its own Assign and Output instead of those of the state', async () => {
  const world = testWorld(failing('SlotLost'));
  const definition = machineOf({
    Call: {
      Type: 'Task',
      Resource: functionArn,
      Assign: { who: 'the state' },
      Output: 'the state',
      Catch: [
        { ErrorEquals: ['Other'], Next: 'Wrong' },
        {
          ErrorEquals: ['SlotLost'],
          Assign: { who: '{% $states.errorOutput.Error & " of " & $states.input.shard %}' },
          Output: { shard: '{% $states.input.shard %}', cause: '{% $states.errorOutput.Cause %}' },
          Next: 'Right',
        },
      ],
      Next: 'Wrong',
    },
    Right: { Type: 'Pass', Output: { who: '{% $who %}', was: '{% $states.input %}' }, End: true },
    Wrong: { Type: 'Fail' },
  });
  const result = await start(definition, world, { shard: 'shard_0003' }).finished;
  expect(result.output).toEqual({ who: 'SlotLost of shard_0003', was: { shard: 'shard_0003', cause: 'on purpose' } });
});

test('an expression that yields nothing can be caught', async () => {
  const definition = machineOf({
    Call: task({
      Arguments: '{% $nothing %}',
      Catch: [{ ErrorEquals: ['States.QueryEvaluationError'], Next: 'Caught' }],
    }),
    Caught: { Type: 'Pass', End: true },
  });
  const result = await start(definition, testWorld()).finished;
  expect(result).toMatchObject({ status: 'SUCCEEDED', output: { Error: 'States.QueryEvaluationError' } });
});

test('States.Runtime is caught by nothing', async () => {
  const definition = machineOf({
    Call: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      Arguments: '{% {"Payload": 1} %}',
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }],
      End: true,
    },
    Caught: { Type: 'Pass', End: true },
  });
  const result = await start(definition, testWorld()).finished;
  expect(result).toMatchObject({
    status: 'FAILED',
    error: 'States.Runtime',
    cause: expect.stringContaining('lack FunctionName') as string,
  });
});

test('no matching rule and no Default is States.NoChoiceMatched', async () => {
  const definition = machineOf({
    Which: { Type: 'Choice', Choices: [{ Condition: '{% $states.input.n > 1 %}', Next: 'Never' }] },
    Never: { Type: 'Succeed' },
  });
  const result = await start(definition, testWorld(), { n: 1 }).finished;
  expect(result).toMatchObject({
    status: 'FAILED',
    error: 'States.NoChoiceMatched',
    cause: expect.stringContaining("the state 'Which'") as string,
  });
});

test('a condition must be true or false', async () => {
  const definition = machineOf({
    Which: { Type: 'Choice', Choices: [{ Condition: '{% $states.input.n %}', Next: 'Never' }] },
    Never: { Type: 'Succeed' },
  });
  const result = await start(definition, testWorld(), { n: 1 }).finished;
  expect(result.cause).toBe(
    "An error occurred while executing the state 'Which' (entered at the event id #2). The JSONata expression '$states.input.n' specified for the field 'Choices[0]/Condition' returned an unexpected result type. Expected 'boolean', but was 'number' for value: 1",
  );
});

test('a Parallel is retried whole', async () => {
  let calls = 0;
  const world = testWorld(() => {
    calls++;
    if (calls === 2) {
      throw new StateError('Throttled', '');
    }
    return calls;
  });
  const branch = (name: string): object => ({ StartAt: name, States: { [name]: task({}) } });
  const definition = machineOf({
    Both: {
      Type: 'Parallel',
      Branches: [branch('Left'), branch('Right')],
      Retry: [{ ErrorEquals: ['Throttled'] }],
      End: true,
    },
  });
  const result = await start(definition, world).finished;
  expect(result.output).toEqual([3, 4]);
});
