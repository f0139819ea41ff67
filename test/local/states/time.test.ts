import type { Json } from '../../../core/json';
import type { TaskCall } from '../../../local/states/execution';
import { StateError } from '../../../local/states/execution';
import type { TestWorld } from './in-memory-world';
import { machineOf, start, testWorld } from './in-memory-world';

const invoke = {
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: 'step', Payload: {} },
};
const waiting = {
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
  Arguments: { FunctionName: 'step', Payload: { token: '{% $states.context.Task.Token %}' } },
};

/** A task that takes `seconds`. */
function slowWorld(seconds: number): TestWorld {
  const world: TestWorld = testWorld(async (call) => {
    await world.clock.sleep(seconds * 1000, call.signal);
    return { Payload: 'late' };
  });
  return world;
}

const secondsOf = (world: TestWorld): number => (world.clock.nowMs() - Date.UTC(2026, 0, 1)) / 1000;

describe('a task that takes too long', () => {
  test('fails with States.Timeout and no cause, and its call is aborted', async () => {
    const world = slowWorld(60);
    const execution = start(machineOf({ Slow: { ...invoke, TimeoutSeconds: 20, End: true } }), world);
    expect(await execution.finished).toMatchObject({ status: 'FAILED', error: 'States.Timeout', cause: null });
    expect(secondsOf(world)).toBe(20);
    expect(world.calls[0]?.signal.aborted).toBe(true);
    expect(execution.history.at(-2)).toMatchObject({
      type: 'TaskTimedOut',
      taskTimedOutEventDetails: { resourceType: 'lambda', resource: 'invoke', error: 'States.Timeout' },
    });
  });

  test('is caught with an empty cause', async () => {
    const states = {
      Slow: {
        ...invoke,
        TimeoutSeconds: '{% 10 * 2 %}',
        Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'Late' }],
        End: true,
      },
      Late: { Type: 'Pass', End: true },
    };
    const result = await start(machineOf(states), slowWorld(60)).finished;
    expect(result.output).toEqual({ Error: 'States.Timeout', Cause: '' });
  });

  test('is not a States.TaskFailed', async () => {
    const states = {
      Slow: { ...invoke, TimeoutSeconds: 1, Retry: [{ ErrorEquals: ['States.TaskFailed'] }], End: true },
    };
    const world = slowWorld(60);
    expect(await start(machineOf(states), world).finished).toMatchObject({ error: 'States.Timeout' });
    expect(world.calls).toHaveLength(1);
  });

  test('in time is not aborted afterwards', async () => {
    const world = slowWorld(5);
    const result = await start(machineOf({ Slow: { ...invoke, TimeoutSeconds: 20, End: true } }), world).finished;
    expect(result.output).toEqual({ Payload: 'late' });
    expect(world.calls[0]?.signal.aborted).toBe(false);
    expect(secondsOf(world)).toBe(5);
  });
});

describe('a machine with a limit', () => {
  test('ends as TIMED_OUT, and what runs is aborted', async () => {
    const world = slowWorld(100);
    const execution = start(machineOf({ Slow: { ...invoke, End: true } }, { TimeoutSeconds: 30 }), world);
    expect(await execution.finished).toMatchObject({ status: 'TIMED_OUT', error: null, cause: null });
    expect(execution.history.at(-1)).toMatchObject({ type: 'ExecutionTimedOut', previousEventId: 0 });
    expect(world.calls[0]?.signal.aborted).toBe(true);
    expect(secondsOf(world)).toBe(30);
  });

  test('an EXPRESS execution ends after 5 minutes', async () => {
    const world = testWorld();
    const result = await start(machineOf({ Long: { Type: 'Wait', Seconds: 600, End: true } }), world, {}, 'EXPRESS')
      .finished;
    expect(result.status).toBe('TIMED_OUT');
    expect(secondsOf(world)).toBe(300);
  });
});

describe('waiting', () => {
  test.each([
    ['seconds', { Seconds: 90 }, 90],
    ['seconds by expression', { Seconds: '{% $states.input.n * 2 %}' }, 14],
    ['a moment', { Timestamp: '2026-01-01T00:05:00Z' }, 300],
    ['a moment by expression, with an offset', { Timestamp: "{% '2026-01-01T01:00:10+01:00' %}" }, 10],
    ['a moment that has passed', { Timestamp: '2025-01-01T00:00:00Z' }, 0],
  ])('%s', async (_kind, fields, seconds) => {
    const world = testWorld();
    const result = await start(machineOf({ Pause: { Type: 'Wait', ...fields, End: true } }), world, { n: 7 }).finished;
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { n: 7 } });
    expect(secondsOf(world)).toBe(seconds);
  });

  test('part of a second is refused', async () => {
    const result = await start(machineOf({ Pause: { Type: 'Wait', Seconds: '{% 1.5 %}', End: true } }), testWorld())
      .finished;
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.QueryEvaluationError' });
  });
});

describe('a task token', () => {
  test('brings the result, after the service has taken the call', async () => {
    const world = testWorld(() => ({ StatusCode: 200, Payload: null }));
    const execution = start(
      machineOf({ Ask: { ...waiting, Output: '{% $states.result.answer %}', End: true } }),
      world,
    );
    await world.clock.sleep(3600_000);
    const token = world.calls[0]?.taskToken ?? '';
    expect(world.calls[0]?.arguments).toEqual({ FunctionName: 'step', Payload: { token } });
    execution.sendTaskSuccess(token, { answer: 'yes' });
    expect(await execution.finished).toMatchObject({ status: 'SUCCEEDED', output: 'yes' });
    expect(execution.history.map((event) => event.type).slice(2, 6)).toEqual([
      'TaskScheduled',
      'TaskStarted',
      'TaskSubmitted',
      'TaskSucceeded',
    ]);
  });

  test('may bring a failure, which Catch knows by its name', async () => {
    const world = testWorld();
    const states = {
      Ask: { ...waiting, Catch: [{ ErrorEquals: ['Refused'], Next: 'No' }], End: true },
      No: { Type: 'Pass', End: true },
    };
    const execution = start(machineOf(states), world);
    await world.clock.sleep(1);
    execution.sendTaskFailure(world.calls[0]?.taskToken ?? '', 'Refused', 'the operator said no');
    expect((await execution.finished).output).toEqual({ Error: 'Refused', Cause: 'the operator said no' });
  });

  test('may come back before the call has answered', async () => {
    const world: TestWorld = testWorld(async (call: TaskCall): Promise<Json> => {
      execution.sendTaskSuccess(call.taskToken ?? '', 'early');
      await world.clock.sleep(5000, call.signal);
      return {};
    });
    const execution = start(machineOf({ Ask: { ...waiting, End: true } }), world);
    expect(await execution.finished).toMatchObject({ status: 'SUCCEEDED', output: 'early' });
    expect(secondsOf(world)).toBe(0);
  });

  test('is refused when nothing waits for it', async () => {
    const world = testWorld();
    const execution = start(machineOf({ Ask: { ...waiting, End: true } }), world);
    await world.clock.sleep(1);
    const token = world.calls[0]?.taskToken ?? '';
    expect(() => {
      execution.sendTaskSuccess('made up', {});
    }).toThrow(expect.objectContaining({ name: 'InvalidToken' }) as StateError);
    execution.sendTaskSuccess(token, {});
    await execution.finished;
    expect(() => {
      execution.sendTaskHeartbeat(token);
    }).toThrow(expect.objectContaining({ name: 'TaskTimedOut' }) as StateError);
  });

  test('a call that fails fails the task at once', async () => {
    const world = testWorld(() => {
      throw new StateError('Lambda.ResourceNotFoundException', 'no such function');
    });
    const result = await start(machineOf({ Ask: { ...waiting, End: true } }), world).finished;
    expect(result).toMatchObject({ status: 'FAILED', error: 'Lambda.ResourceNotFoundException' });
  });
});

describe('heartbeats', () => {
  const beating = { ...waiting, HeartbeatSeconds: 30, TimeoutSeconds: 200, End: true };

  test('keep a task alive for as long as they come', async () => {
    const world = testWorld();
    const execution = start(machineOf({ Ask: beating }), world);
    for (let beat = 0; beat < 5; beat++) {
      await world.clock.sleep(25_000);
      execution.sendTaskHeartbeat(world.calls[0]?.taskToken ?? '');
    }
    expect(await execution.finished).toMatchObject({ status: 'FAILED', error: 'States.Timeout', cause: null });
    expect(secondsOf(world)).toBe(155);
  });

  test('do not stretch the timeout', async () => {
    const world = testWorld();
    const execution = start(machineOf({ Ask: beating }), world);
    while (execution.status === 'RUNNING') {
      execution.sendTaskHeartbeat(
        world.calls[0]?.taskToken ?? (await world.clock.sleep(1).then(() => world.calls[0]?.taskToken ?? '')),
      );
      await world.clock.sleep(20_000);
    }
    expect(execution.history.at(-1)?.timestamp).toBe('2026-01-01T00:03:20.000Z');
  });

  test.each(['States.HeartbeatTimeout', 'States.Timeout'])('that stop coming are caught as %s', async (name) => {
    const states = {
      Ask: { ...beating, Catch: [{ ErrorEquals: [name], Next: 'Silent' }] },
      Silent: { Type: 'Pass', End: true },
    };
    const result = await start(machineOf(states), testWorld()).finished;
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { Error: 'States.Timeout', Cause: '' } });
  });
});

describe('stopping', () => {
  test('ends the execution at once as ABORTED, with what was given', async () => {
    const world = slowWorld(100);
    const execution = start(machineOf({ Slow: { ...invoke, End: true } }), world);
    await world.clock.sleep(10_000);
    execution.stop('Operator', 'changed my mind');
    expect(execution.status).toBe('ABORTED');
    expect(await execution.finished).toMatchObject({ status: 'ABORTED', error: 'Operator', cause: 'changed my mind' });
    expect(execution.history.at(-1)).toMatchObject({ type: 'ExecutionAborted', previousEventId: 0 });
    expect(world.calls[0]?.signal.aborted).toBe(true);
    const events = execution.history.length;
    await world.clock.sleep(200_000);
    execution.stop();
    expect(execution.history).toHaveLength(events);
  });

  test('reaches into branches, iterations and child executions', async () => {
    const world = slowWorld(100);
    const item = (name: string): object => ({ StartAt: name, States: { [name]: { ...invoke, End: true } } });
    const definition = machineOf({
      All: {
        Type: 'Parallel',
        Branches: [
          {
            StartAt: 'Inline',
            States: { Inline: { Type: 'Map', Items: [1, 2], ItemProcessor: item('One'), End: true } },
          },
          {
            StartAt: 'Distributed',
            States: {
              Distributed: {
                Type: 'Map',
                Items: [1, 2],
                ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }, ...item('Two') },
                End: true,
              },
            },
          },
        ],
        End: true,
      },
    });
    const execution = start(definition, world);
    await world.clock.sleep(1000);
    execution.stop();
    await execution.finished;
    await world.clock.sleep(1000);
    expect(world.calls).toHaveLength(4);
    expect(world.calls.map((call) => call.signal.aborted)).toEqual([true, true, true, true]);
    expect(world.executions.map((each) => each.status)).toEqual(['ABORTED', 'ABORTED', 'ABORTED']);
  });
});
