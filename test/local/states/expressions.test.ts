import { createHash } from 'node:crypto';
import type { Json } from '../../../core/json';
import { machineArn, machineOf, start, testWorld } from './in-memory-world';

async function evaluate(output: Json, input: Json = {}, seed = 1): Promise<Json> {
  const result = await start(
    machineOf({ Say: { Type: 'Pass', Output: output, End: true } }),
    testWorld(undefined, seed),
    input,
  ).finished;
  return result.status === 'SUCCEEDED' ? result.output : `${result.error ?? ''}: ${result.cause ?? ''}`;
}

const where =
  "States.QueryEvaluationError: An error occurred while executing the state 'Say' (entered at the event id #2). The JSONata expression";

test.each<[string, Json, Json]>([
  ['texts with spaces outside the braces are plain', ' {% 1 %} ', ' {% 1 %} '],
  ['expressions deep inside', { a: [{ b: '{% 1 + 1 %}' }, 'c'] }, { a: [{ b: 2 }, 'c'] }],
  ["keys that end in '.$' are plain", { 'a.$': '$.b' }, { 'a.$': '$.b' }],
  ['null', null, null],
  ['$partition', '{% $partition([1, 2, 3], 2) %}', [[1, 2], [3]]],
  ['$partition of what fits in one', '{% $partition([0], 1) %}', [[0]]],
  ['$range', '{% $range(1, 9, 3) %}', [1, 4, 7]],
  ['$range downwards', '{% $range(3, 1, -1) %}', [3, 2, 1]],
  ['$range of one value comes bare', '{% $range(1, 9, 9) %}', 1],
  ['$hash', '{% $hash("rejoin", "SHA-256") %}', createHash('sha256').update('rejoin').digest('hex')],
  ['$hash MD5', '{% $hash("rejoin", "MD5") %}', createHash('md5').update('rejoin').digest('hex')],
  ['$parse', '{% $parse("{\\"a\\":[1]}").a %}', [1]],
  ['$random with a seed is the same each time', '{% $random(7) = $random(7) and $random(7) != $random(8) %}', true],
  ['$random is below 1', '{% $random() < 1 %}', true],
  [
    '$uuid',
    '{% $match($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/) ~> $exists %}',
    true,
  ],
  [
    '$now and $millis are the injected time',
    '{% [$now(), $millis()] %}',
    ['2026-01-01T00:00:00.000Z', Date.UTC(2026, 0, 1)],
  ],
  ['$now with a picture', '{% $now("[Y0001]/[M01]") %}', '2026/01'],
  ['$shuffle keeps what is there', '{% $sort($shuffle([3, 1, 2])) %}', [1, 2, 3]],
  ['nothing', '{% $nothing %}', `${where} '$nothing' specified for the field 'Output' returned nothing (undefined).`],
  [
    'nothing, deep inside',
    { a: [1, '{% $nothing %}'] },
    `${where} '$nothing' specified for the field 'Output/a[1]' returned nothing (undefined).`,
  ],
  ['a function', '{% $sum %}', `${where} '$sum' specified for the field 'Output' returned an unsupported result type.`],
  [
    'a function inside',
    '{% {"f": function($x) { $x }} %}',
    `${where} '{"f": function($x) { $x }}' specified for the field 'Output' returned an unsupported result type.`,
  ],
  [
    'a call of no function',
    '{% $nothing() %}',
    `${where} '$nothing()' specified for the field 'Output' threw an error during evaluation. T1006: Attempted to invoke a non-function`,
  ],
  [
    'a hash that is not known',
    '{% $hash("a", "CRC") %}',
    `${where} '$hash("a", "CRC")' specified for the field 'Output' threw an error during evaluation. T0410: Argument 2 of function "hash" does not match function signature`,
  ],
  [
    'text that is no JSON',
    '{% $parse("{") %}',
    `${where} '$parse("{")' specified for the field 'Output' threw an error during evaluation. the argument of $parse is not JSON: {`,
  ],
  [
    'a bare field name: there is no input document',
    '{% a %}',
    `${where} 'a' specified for the field 'Output' returned nothing (undefined).`,
  ],
])('%s', async (_what, output, expected) => {
  expect(await evaluate(output, { a: 1 })).toEqual(expected);
});

test('the same seed gives the same random values, another one others', async () => {
  const output = '{% [$uuid(), $random(), $string($shuffle([1..9]))] %}';
  expect(await evaluate(output, {}, 3)).toEqual(await evaluate(output, {}, 3));
  expect(await evaluate(output, {}, 3)).not.toEqual(await evaluate(output, {}, 4));
});

test('a list of one item stays a list in the input, and an expression that ends in [] keeps it one', async () => {
  expect(await evaluate('{% $states.input %}', [1])).toEqual([1]);
  expect(await evaluate('{% $states.input.a[x = 1][] %}', { a: [{ x: 1 }] })).toEqual([{ x: 1 }]);
  expect(await evaluate('{% $states.input.a[x = 1] %}', { a: [{ x: 1 }] })).toEqual({ x: 1 });
});

test('$states.context tells of the execution, the machine and the state', async () => {
  expect(await evaluate('{% $states.context %}', { a: 1 })).toEqual({
    Execution: {
      Id: `${machineArn.replace('stateMachine', 'execution')}:run-1`,
      Input: { a: 1 },
      Name: 'run-1',
      RoleArn: 'arn:aws:iam::111111111111:role/tested',
      StartTime: '2026-01-01T00:00:00.000Z',
      RedriveCount: 0,
    },
    StateMachine: { Id: machineArn, Name: 'tested' },
    State: { Name: 'Say', EnteredTime: '2026-01-01T00:00:00.000Z' },
  });
});

describe('variables', () => {
  test('are set after the state: the state itself sees the old value', async () => {
    const definition = machineOf({
      First: { Type: 'Pass', Assign: { n: 1 }, Next: 'Second' },
      Second: { Type: 'Pass', Assign: { n: '{% $n + 1 %}', old: '{% $n %}' }, Output: '{% $n %}', Next: 'Third' },
      Third: { Type: 'Pass', Output: '{% [$states.input, $n, $old] %}', End: true },
    });
    expect((await start(definition, testWorld()).finished).output).toEqual([1, 2, 1]);
  });

  test('of outer scopes are read in branches and iterations; what those assign stays inside', async () => {
    const inner = (name: string, value: string): object => ({
      StartAt: `Set ${name}`,
      States: {
        [`Set ${name}`]: { Type: 'Pass', Assign: { inner: value, shared: name }, Next: `Get ${name}` },
        [`Get ${name}`]: { Type: 'Pass', Output: '{% $outer & "/" & $inner & "/" & $shared %}', End: true },
      },
    });
    const definition = machineOf({
      Set: { Type: 'Pass', Assign: { outer: 'o', shared: 's' }, Next: 'Both' },
      Both: {
        Type: 'Parallel',
        Branches: [inner('a', '1'), inner('b', '2')],
        Assign: { both: '{% $states.result %}' },
        Next: 'Each',
      },
      Each: { Type: 'Map', Items: [7, 8], ItemProcessor: inner('c', '{% $string($states.input) %}'), Next: 'Look' },
      Look: {
        Type: 'Pass',
        Output: {
          both: '{% $both %}',
          each: '{% $states.input %}',
          shared: '{% $shared %}',
          inner: '{% $exists($inner) %}',
        },
        End: true,
      },
    });
    expect((await start(definition, testWorld()).finished).output).toEqual({
      both: ['o/1/a', 'o/2/b'],
      each: ['o/7/c', 'o/8/c'],
      shared: 's',
      inner: false,
    });
  });

  test('that a choice rule assigns replace those of the state', async () => {
    const definition = machineOf({
      Which: {
        Type: 'Choice',
        Choices: [{ Condition: '{% $states.input.n = 1 %}', Assign: { by: 'rule' }, Output: 'rule', Next: 'Look' }],
        Default: 'Look',
        Assign: { by: 'state', only: 'state' },
        Output: 'state',
      },
      Look: { Type: 'Pass', Output: '{% [$states.input, $by, $exists($only)] %}', End: true },
    });
    expect((await start(definition, testWorld(), { n: 1 }).finished).output).toEqual(['rule', 'rule', false]);
    expect((await start(definition, testWorld(), { n: 2 }).finished).output).toEqual(['state', 'state', true]);
  });

  test('an iteration knows which item it is', async () => {
    const definition = machineOf({
      Each: {
        Type: 'Map',
        Items: ['x', 'y'],
        ItemProcessor: {
          StartAt: 'Look',
          States: { Look: { Type: 'Pass', Output: '{% $states.context.Map.Item %}', End: true } },
        },
        End: true,
      },
    });
    expect((await start(definition, testWorld()).finished).output).toEqual([
      { Index: 0, Value: 'x' },
      { Index: 1, Value: 'y' },
    ]);
  });
});

test('Fail takes expressions for its error and cause, which must be texts', async () => {
  const fail = (error: string): object =>
    machineOf({ No: { Type: 'Fail', Error: error, Cause: '{% "shard " & $states.input.shard %}' } });
  expect(await start(fail('{% "Refused" %}'), testWorld(), { shard: 3 }).finished).toMatchObject({
    error: 'Refused',
    cause: 'shard 3',
  });
  expect(await start(fail('{% 1 %}'), testWorld(), { shard: 3 }).finished).toMatchObject({
    error: 'States.QueryEvaluationError',
  });
});

test('a text as Payload is sent to Lambda as raw JSON', async () => {
  const invoke = (payload: string): object =>
    machineOf({
      Call: {
        Type: 'Task',
        Resource: 'arn:aws:states:::lambda:invoke',
        Arguments: { FunctionName: 'f', Payload: payload },
        End: true,
      },
    });
  const world = testWorld();
  await start(invoke('0'), world).finished;
  expect(world.calls[0]?.arguments).toEqual({ FunctionName: 'f', Payload: 0 });
  expect(await start(invoke('no JSON'), world).finished).toMatchObject({
    error: 'Lambda.InvalidRequestContentException',
  });
});
