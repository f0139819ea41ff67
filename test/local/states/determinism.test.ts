import fc from 'fast-check';
import type { Json } from '../../../core/json';
import type { HistoryEvent, TaskCall } from '../../../local/states/execution';
import { StateError } from '../../../local/states/execution';
import type { TestWorld } from './in-memory-world';
import { machineOf, seededRandom, start, testWorld } from './in-memory-world';

const functionArn = 'arn:aws:lambda:eu-central-1:111111111111:function:step';

/** A state without its name and without what comes after it. */
type Shape =
  | { readonly kind: 'pass' | 'succeed' | 'fail' | 'wait' | 'choice' | 'token'; readonly n: number }
  | {
      readonly kind: 'task';
      readonly n: number;
      readonly timeout: boolean;
      readonly retry: boolean;
      readonly caught: boolean;
    }
  | { readonly kind: 'parallel'; readonly branches: readonly (readonly Shape[])[]; readonly caught: boolean }
  | {
      readonly kind: 'map';
      readonly items: number;
      readonly distributed: boolean;
      readonly inside: readonly Shape[];
      readonly caught: boolean;
    };

const { chain } = fc.letrec<{ shape: Shape; chain: readonly Shape[] }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 2, depthIdentifier: 'states' },
    fc.record({ kind: fc.constantFrom('pass', 'succeed', 'fail', 'wait', 'choice', 'token'), n: fc.nat(4) }),
    fc.record({
      kind: fc.constant('task'),
      n: fc.nat(4),
      timeout: fc.boolean(),
      retry: fc.boolean(),
      caught: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('parallel'),
      branches: fc.array(tie('chain'), { minLength: 1, maxLength: 3 }),
      caught: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('map'),
      items: fc.nat(4),
      distributed: fc.boolean(),
      inside: tie('chain'),
      caught: fc.boolean(),
    }),
  ),
  chain: fc.array(tie('shape'), { minLength: 1, maxLength: 4 }),
}));

/** A scope with one state after the other; each name is used once in the whole machine. */
function graphOf(
  shapes: readonly Shape[],
  prefix: string,
): { readonly StartAt: string; readonly States: Record<string, object> } {
  const States: Record<string, object> = {};
  const last = `${prefix}end`;
  const isFinal = (shape: Shape): boolean => shape.kind === 'fail' || shape.kind === 'succeed';
  const used = shapes.slice(0, shapes.findIndex(isFinal) + 1 || shapes.length);
  used.forEach((shape, index) => {
    const name = `${prefix}${index}`;
    const next = index + 1 < used.length ? `${prefix}${index + 1}` : last;
    States[name] = stateOf(shape, name, next);
  });
  const final = used.at(-1);
  if (final !== undefined && !isFinal(final)) {
    States[last] = { Type: 'Pass', Output: '{% [$states.input, $random()] %}', End: true };
  }
  return { StartAt: `${prefix}0`, States };
}

function stateOf(shape: Shape, name: string, next: string): object {
  switch (shape.kind) {
    case 'pass':
      return { Type: 'Pass', Assign: { v: shape.n }, Output: '{% $uuid() %}', Next: next };
    case 'succeed':
      return { Type: 'Succeed' };
    case 'fail':
      return { Type: 'Fail', Error: `E${shape.n}` };
    case 'wait':
      return { Type: 'Wait', Seconds: shape.n, Next: next };
    case 'choice':
      return {
        Type: 'Choice',
        Choices: [{ Condition: '{% $random() < 0.5 %}', Output: 'heads', Next: next }],
        Default: next,
      };
    case 'token':
      return {
        Type: 'Task',
        Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
        Arguments: { FunctionName: 'f' },
        HeartbeatSeconds: 3,
        TimeoutSeconds: 9,
        Next: next,
      };
    case 'task':
      return {
        Type: 'Task',
        Resource: functionArn,
        Arguments: shape.n,
        ...(shape.timeout ? { TimeoutSeconds: 2 } : {}),
        ...(shape.retry ? { Retry: [{ ErrorEquals: ['States.ALL'], JitterStrategy: 'FULL', MaxAttempts: 2 }] } : {}),
        ...catching(shape.caught, next),
        Next: next,
      };
    case 'parallel':
      return {
        Type: 'Parallel',
        Branches: shape.branches.map((branch, index) => graphOf(branch, `${name}.${index}.`)),
        ...catching(shape.caught, next),
        Next: next,
      };
    case 'map':
      return {
        Type: 'Map',
        Items: Array.from({ length: shape.items }, (_, index) => index),
        MaxConcurrency: 2,
        ItemProcessor: {
          ...(shape.distributed ? { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } } : {}),
          ...graphOf(shape.inside, `${name}.`),
        },
        ...catching(shape.caught, next),
        Next: next,
      };
  }
}

const catching = (caught: boolean, next: string): object =>
  caught ? { Catch: [{ ErrorEquals: ['States.ALL'], Next: next }] } : {};

/** Tasks that take from 0 to 4 s, and fail one time in four; tokens that come back, beat or stay away. */
function chaoticWorld(seed: number): TestWorld {
  const dice = seededRandom(seed + 1);
  const world: TestWorld = testWorld(async (call: TaskCall): Promise<Json> => {
    if (call.taskToken !== null) {
      void answerLater(world, call.taskToken, dice.next());
      return {};
    }
    await world.clock.sleep(Math.floor(dice.next() * 4000), call.signal);
    if (dice.next() < 0.25) {
      throw new StateError('Throttled', 'by chance');
    }
    return call.arguments;
  }, seed);
  return world;
}

async function answerLater(world: TestWorld, token: string, chance: number): Promise<void> {
  await world.clock.sleep(chance * 4000);
  try {
    if (chance < 0.4) {
      world.executions[0]?.sendTaskSuccess(token, { chance });
    } else if (chance < 0.7) {
      world.executions[0]?.sendTaskHeartbeat(token);
    }
  } catch {
    // The task has ended by itself.
  }
}

async function historiesOf(
  definition: object,
  seed: number,
  stopAfterMs: number | null,
): Promise<readonly (readonly HistoryEvent[])[]> {
  const world = chaoticWorld(seed);
  const execution = start(definition, world);
  if (stopAfterMs !== null) {
    await world.clock.sleep(stopAfterMs);
    execution.stop();
  }
  const result = await execution.finished;
  expect(execution.status).toBe(result.status);
  await world.clock.sleep(3600_000);
  return world.executions.map((each) => each.history);
}

const endings = new Set(['ExecutionSucceeded', 'ExecutionFailed', 'ExecutionAborted', 'ExecutionTimedOut']);

function expectWellFormed(history: readonly HistoryEvent[]): void {
  history.forEach((event, index) => {
    expect(event.id).toBe(index + 1);
    expect(event.previousEventId).toBeGreaterThanOrEqual(0);
    expect(event.previousEventId).toBeLessThan(event.id);
  });
  // One end, and nothing after it, whatever was still running.
  expect(
    history.map((event, index) => (endings.has(event.type) ? index : null)).filter((index) => index !== null),
  ).toEqual([history.length - 1]);
  const times = history.map((event) => event.timestamp);
  expect([...times].sort()).toEqual(times);
}

test('any machine, run twice from one seed, leaves the same histories byte for byte; events are numbered 1..n and follow earlier ones', async () => {
  await fc.assert(
    fc.asyncProperty(chain, fc.nat(1000), fc.option(fc.nat(8000)), async (shapes, seed, stopAfterMs) => {
      const definition = machineOf({}, graphOf(shapes, 's'));
      const once = await historiesOf(definition, seed, stopAfterMs);
      const twice = await historiesOf(definition, seed, stopAfterMs);
      expect(JSON.stringify(twice)).toBe(JSON.stringify(once));
      once.forEach(expectWellFormed);
    }),
    { numRuns: 200 },
  );
});

test('these machines reach what can happen at all: the property does not hold over nothing', async () => {
  const seen = new Set<string>();
  for (const [index, shapes] of fc.sample(chain, { seed: 1, numRuns: 150 }).entries()) {
    const histories = await historiesOf(machineOf({}, graphOf(shapes, 's')), index, index % 4 === 0 ? 2000 : null);
    histories.flat().forEach((event) => seen.add(event.type));
  }
  expect([...seen]).toEqual(
    expect.arrayContaining([
      'ChoiceStateExited',
      'ExecutionAborted',
      'ExecutionFailed',
      'ExecutionSucceeded',
      'LambdaFunctionFailed',
      'LambdaFunctionTimedOut',
      'MapIterationAborted',
      'MapIterationFailed',
      'MapRunFailed',
      'MapRunSucceeded',
      'MapStateSucceeded',
      'ParallelStateFailed',
      'ParallelStateSucceeded',
      'TaskSubmitted',
      'TaskSucceeded',
      'TaskTimedOut',
      'WaitStateAborted',
    ]),
  );
});
