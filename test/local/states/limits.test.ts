import { startExecution } from '../../../local/states/execution';
import { loadStateMachine } from '../../../local/states/state-machine';
import { machineArn, machineOf, start, testWorld } from './in-memory-world';

const limitBytes = 256 * 1024;
const functionArn = 'arn:aws:lambda:eu-central-1:111111111111:function:step';
/** A text that is `bytes` long as JSON. */
const textOf = (bytes: number): string => 'x'.repeat(bytes - 2);

const caught = { Type: 'Pass', Output: '{% $states.input.Error %}', End: true };

describe('what goes through a state', () => {
  test('may have 256 KiB', async () => {
    const world = testWorld(() => textOf(limitBytes));
    const result = await start(machineOf({ Big: { Type: 'Task', Resource: functionArn, End: true } }), world).finished;
    expect(result.status).toBe('SUCCEEDED');
  });

  test('one byte more from a task is States.DataLimitExceeded, which States.ALL catches', async () => {
    const world = testWorld(() => textOf(limitBytes + 1));
    const task = { Type: 'Task', Resource: functionArn, Output: 'small' };
    const states = {
      Big: { ...task, Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }], End: true },
      Caught: caught,
    };
    expect(await start(machineOf(states), world).finished).toMatchObject({
      status: 'SUCCEEDED',
      output: 'States.DataLimitExceeded',
    });
    expect(await start(machineOf({ Big: { ...task, End: true } }), world).finished).toMatchObject({
      status: 'FAILED',
      error: 'States.DataLimitExceeded',
      cause: `The state/task '${functionArn}' returned a result with a size exceeding the maximum number of bytes service limit.`,
    });
  });

  test('bytes are counted, not characters', async () => {
    const world = testWorld(() => 'ä'.repeat(limitBytes / 2));
    const result = await start(machineOf({ Big: { Type: 'Task', Resource: functionArn, End: true } }), world).finished;
    expect(result.error).toBe('States.DataLimitExceeded');
  });

  test.each([
    ['an Output', { Big: { Type: 'Pass', Output: '{% $pad("", 262143, "x") %}', End: true } }, "'Big'"],
    [
      'the Arguments of a task',
      { Big: { Type: 'Task', Resource: functionArn, Arguments: '{% $pad("", 262143, "x") %}', End: true } },
      "'Big'",
    ],
    [
      'all iterations together',
      {
        Big: {
          Type: 'Map',
          Items: [1, 2],
          ItemProcessor: {
            StartAt: 'Half',
            States: { Half: { Type: 'Pass', Output: '{% $pad("", 140000, "x") %}', End: true } },
          },
          Output: 'small',
          End: true,
        },
      },
      "'Big'",
    ],
  ])('%s over 256 KiB fails the state', async (_what, states, named) => {
    const result = await start(machineOf(states), testWorld()).finished;
    expect(result).toMatchObject({
      error: 'States.DataLimitExceeded',
      cause: expect.stringContaining(named) as string,
    });
  });

  test('an input over 256 KiB is not even started', () => {
    const machine = loadStateMachine({
      name: 'tested',
      arn: machineArn,
      definition: machineOf({ A: { Type: 'Pass', End: true } }),
    });
    expect(() => startExecution(machine, { name: 'run', input: textOf(limitBytes + 1), world: testWorld() })).toThrow(
      /has 262145 bytes; at most 262144/,
    );
    expect(() => startExecution(machine, { name: 'a run', input: {}, world: testWorld() })).toThrow(
      /'a run' is no name for an execution/,
    );
  });
});

describe('variables', () => {
  test('one over 256 KiB fails the state that assigns it', async () => {
    const states = { Set: { Type: 'Pass', Assign: { big: '{% $pad("", 262143, "x") %}' }, End: true } };
    expect(await start(machineOf(states), testWorld()).finished).toMatchObject({
      error: 'States.DataLimitExceeded',
      cause: "The variable 'big' assigned in the state 'Set' exceeds 262144 bytes.",
    });
  });

  test('one Assign may hold 256 KiB together', async () => {
    const half = '{% $pad("", 140000, "x") %}';
    const states = { Set: { Type: 'Pass', Assign: { a: half, b: half }, End: true } };
    expect(await start(machineOf(states), testWorld()).finished).toMatchObject({ error: 'States.DataLimitExceeded' });
  });

  test('all may hold 10 MiB; overwriting one gives its place back', async () => {
    const big = '{% $pad("", 262000, "x") %}';
    const chain = (names: readonly string[]): Record<string, object> =>
      Object.fromEntries(
        names.map((name, index) => [
          `Set ${index}`,
          {
            Type: 'Pass',
            Assign: { [name]: big },
            ...(index === names.length - 1 ? { End: true } : { Next: `Set ${index + 1}` }),
          },
        ]),
      );
    const forty = Array.from({ length: 40 }, (_, index) => `v${index}`);
    expect((await start(machineOf(chain([...forty, ...forty])), testWorld()).finished).status).toBe('SUCCEEDED');
    expect(await start(machineOf(chain([...forty, 'more'])), testWorld()).finished).toMatchObject({
      error: 'States.DataLimitExceeded',
      cause: expect.stringContaining("'Set 40'") as string,
    });
  });
});

test('an execution fails with its 25,000th event, whatever it would catch', async () => {
  const states = {
    Again: {
      Type: 'Map',
      Items: [],
      ItemProcessor: { StartAt: 'I', States: { I: { Type: 'Pass', End: true } } },
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }],
      Next: 'Which',
    },
    Which: { Type: 'Choice', Choices: [{ Condition: true, Next: 'Again' }], Default: 'Caught' },
    Caught: caught,
  };
  const execution = start(machineOf(states), testWorld());
  expect(await execution.finished).toMatchObject({
    status: 'FAILED',
    error: 'States.Runtime',
    cause: 'The execution reached the maximum number of history events (25000).',
  });
  expect(execution.history).toHaveLength(25_000);
  expect(execution.history.at(-1)?.type).toBe('ExecutionFailed');
});

test('an expression that recurses without end fails its state', async () => {
  const output = '{% ($deeper := function($n) { $deeper($n + 1) + 1 }; $deeper(1)) %}';
  const result = await start(machineOf({ Deep: { Type: 'Pass', Output: output, End: true } }), testWorld()).finished;
  expect(result).toMatchObject({
    error: 'States.QueryEvaluationError',
    cause: expect.stringContaining('D1011') as string,
  });
});

test('a definition over 1 MiB is refused', () => {
  const definition = machineOf({ A: { Type: 'Pass', Comment: textOf(1024 * 1024), End: true } });
  expect(() => loadStateMachine({ name: 'tested', arn: machineArn, definition })).toThrow(
    /at most 1048576 are allowed/,
  );
});
