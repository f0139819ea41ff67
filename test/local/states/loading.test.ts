import { InvalidDefinition, loadStateMachine } from '../../../local/states/state-machine';
import { machineArn, machineOf } from './in-memory-world';

function problemsOf(definition: object | string, type: 'STANDARD' | 'EXPRESS' = 'STANDARD'): readonly string[] {
  try {
    loadStateMachine({ name: 'tested', arn: machineArn, definition, type });
  } catch (error) {
    if (error instanceof InvalidDefinition) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

const end = { Type: 'Pass', End: true };
const functionArn = 'arn:aws:lambda:eu-central-1:111111111111:function:step';
const task = { Type: 'Task', Resource: functionArn, End: true };
const map = { Type: 'Map', Items: [], ItemProcessor: { StartAt: 'I', States: { I: end } }, End: true };
const dist = (more: object): object => ({
  ...map,
  ItemProcessor: { ...map.ItemProcessor, ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } },
  ...more,
});

test.each<[string, object, string]>([
  [
    'a misspelt Type',
    { A: { Type: 'Taks', End: true } },
    "state 'A': field 'Type' is \"Taks\"; supported: 'Task', 'Pass', 'Choice', 'Wait', 'Succeed', 'Fail', 'Parallel', 'Map'",
  ],
  ['no Type', { A: { End: true } }, "state 'A': field 'Type' is missing"],
  [
    'a misspelt field',
    { A: { ...end, Outptu: 1 } },
    "state 'A': field 'Outptu' is not supported (supported here: Type, Comment, QueryLanguage, Assign, Output, Next, End)",
  ],
  [
    'a JSONPath field',
    { A: { ...end, InputPath: '$' } },
    "state 'A': field 'InputPath' is a JSONPath field and not allowed in JSONata",
  ],
  [
    'a JSONPath field in a retrier',
    { A: { ...task, Retry: [{ ErrorEquals: ['E'], Interval: 1 }] } },
    "state 'A': Retry[0]: field 'Interval' is not supported (supported here: ErrorEquals, IntervalSeconds, BackoffRate, MaxAttempts, MaxDelaySeconds, JitterStrategy, Comment)",
  ],
  [
    'a JSONPath state in a JSONata machine',
    { A: { ...end, QueryLanguage: 'JSONPath' } },
    "state 'A': field 'QueryLanguage' is 'JSONPath', but what is around it is JSONata",
  ],
  [
    'a missing target',
    { A: { Type: 'Pass', Next: 'B' } },
    "state machine: state 'A' goes to 'B', which does not exist here (states: 'A')",
  ],
  [
    'a missing target of a catcher',
    { A: { ...task, Catch: [{ ErrorEquals: ['E'], Next: 'B' }] } },
    "state machine: state 'A' goes to 'B', which does not exist here (states: 'A')",
  ],
  ['a state that nothing leads to', { A: end, B: end }, "state machine: state 'B' can't be reached from 'A'"],
  ['Next and End', { A: { ...end, Next: 'A' } }, "state 'A': has both 'Next' and 'End'; keep one of them"],
  ['neither Next nor End', { A: { Type: 'Pass' } }, "state 'A': needs 'Next' or 'End'"],
  ['End: false', { A: { Type: 'Pass', End: false } }, "state 'A': field 'End' must be true, but is false"],
  [
    'no end at all',
    { A: { Type: 'Pass', Next: 'A' } },
    "state machine: no state ends: give one 'End': true, or add a Succeed or Fail state",
  ],
  [
    'a name used twice',
    { A: { ...map, ItemProcessor: { StartAt: 'A', States: { A: end } } } },
    "state 'A': the name is used twice; state names must be unique over the whole state machine",
  ],
  [
    'a resource that is not implemented',
    { A: { ...task, Resource: 'arn:aws:states:::sqs:sendMessage' } },
    "state 'A': field 'Resource' is 'arn:aws:states:::sqs:sendMessage'; supported: the ARN of a Lambda function, arn:aws:states:::lambda:invoke,",
  ],
  [
    'an argument that Lambda does not know',
    { A: { ...task, Resource: 'arn:aws:states:::lambda:invoke', Arguments: { FunctionName: 'f', Paylod: 1 } } },
    "state 'A': Arguments: field 'Paylod' is not supported",
  ],
  [
    'an argument that is missing',
    { A: { ...task, Resource: 'arn:aws:states:::states:startExecution.sync:2', Arguments: {} } },
    "state 'A': Arguments: field 'StateMachineArn' is missing",
  ],
  ['credentials', { A: { ...task, Credentials: {} } }, "state 'A': field 'Credentials' is not supported"],
  [
    'a timeout of nothing',
    { A: { ...task, TimeoutSeconds: 0 } },
    "state 'A': field 'TimeoutSeconds' must be a whole number from 1 to 99999999, but is 0",
  ],
  [
    'a heartbeat slower than the timeout',
    { A: { ...task, TimeoutSeconds: 5, HeartbeatSeconds: 5 } },
    "state 'A': field 'HeartbeatSeconds' is 5 and must be less than TimeoutSeconds, which is 5",
  ],
  [
    'a syntax error in an expression',
    { A: { ...end, Output: { x: ['{% 1 + %}'] } } },
    "state 'A': Output/x[0]: expression '{% 1 + %}' can't be used: S0207",
  ],
  [
    '$eval',
    { A: { ...end, Output: '{% $eval("1") %}' } },
    "state 'A': Output: expression '{% $eval(\"1\") %}' can't be used: the function $eval is not available in Step Functions",
  ],
  ['a variable called states', { A: { ...end, Assign: { states: 1 } } }, "state 'A': Assign: 'states' is reserved"],
  [
    'a variable with a path',
    { A: { ...end, Assign: { 'x.$': '$.x' } } },
    "state 'A': Assign: 'x.$' is JSONPath and not allowed in JSONata",
  ],
  [
    'a variable that is no name',
    { A: { ...end, Assign: { 'a-b': 1 } } },
    "state 'A': Assign: 'a-b' is no name for a variable",
  ],
  [
    'States.ALL among others',
    { A: { ...task, Retry: [{ ErrorEquals: ['E', 'States.ALL'] }] } },
    "state 'A': Retry[0]: 'States.ALL' must stand alone",
  ],
  [
    'States.ALL before others',
    { A: { ...task, Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['E'] }] } },
    "state 'A': Retry[0]: 'States.ALL' must stand alone",
  ],
  [
    'an unknown jitter',
    { A: { ...task, Retry: [{ ErrorEquals: ['E'], JitterStrategy: 'HALF' }] } },
    "state 'A': Retry[0]: field 'JitterStrategy' is \"HALF\"; supported: 'FULL', 'NONE'",
  ],
  [
    'a bound below the interval',
    { A: { ...task, Retry: [{ ErrorEquals: ['E'], IntervalSeconds: 5, MaxDelaySeconds: 5 }] } },
    "state 'A': Retry[0]: field 'MaxDelaySeconds' is 5 and must be more than IntervalSeconds, which is 5",
  ],
  [
    'a condition that is a plain text',
    { A: { Type: 'Choice', Choices: [{ Condition: 'true', Next: 'A' }] }, B: end },
    "state 'A': Choices[0]: field 'Condition' must be an expression in {% %}, but is \"true\"",
  ],
  [
    'a JSONPath rule',
    { A: { Type: 'Choice', Choices: [{ Variable: '$.x', BooleanEquals: true, Next: 'B' }] }, B: end },
    "state 'A': Choices[0]: field 'Variable' is a JSONPath field",
  ],
  [
    'a timestamp without an offset',
    { A: { Type: 'Wait', Timestamp: '2026-01-01T00:00:00', End: true } },
    "state 'A': field 'Timestamp' is '2026-01-01T00:00:00'; it must be of the form 2026-01-31T12:00:00Z",
  ],
  ['a wait for nothing', { A: { Type: 'Wait', End: true } }, "state 'A': needs 'Seconds' or 'Timestamp', and not both"],
  [
    'a reader on an inline map',
    { A: { ...map, ItemReader: {} } },
    "state 'A': field 'ItemReader' needs a distributed map",
  ],
  ['the old Iterator', { A: { ...map, Iterator: {} } }, "state 'A': field 'Iterator' is not supported"],
  [
    'a distributed map without ExecutionType',
    { A: { ...map, ItemProcessor: { ...map.ItemProcessor, ProcessorConfig: { Mode: 'DISTRIBUTED' } } } },
    "state 'A': ItemProcessor: ProcessorConfig: field 'ExecutionType' is missing",
  ],
  [
    'a batcher without a bound',
    { A: dist({ ItemBatcher: {} }) },
    "state 'A': ItemBatcher: needs 'MaxItemsPerBatch', 'MaxInputBytesPerBatch' or both",
  ],
  [
    'a batch over 256 KiB',
    { A: dist({ ItemBatcher: { MaxInputBytesPerBatch: 262_145 } }) },
    "state 'A': ItemBatcher: field 'MaxInputBytesPerBatch' must be a whole number from 1 to 262144",
  ],
  [
    'Parquet',
    {
      A: dist({
        Items: undefined,
        ItemReader: {
          Resource: 'arn:aws:states:::s3:getObject',
          ReaderConfig: { InputType: 'PARQUET' },
          Arguments: {},
        },
      }),
    },
    "state 'A': ItemReader: ReaderConfig: field 'InputType' is \"PARQUET\"; supported: 'JSON', 'JSONL', 'CSV', 'MANIFEST'",
  ],
  ['a label with spaces', { A: dist({ Label: 'a b' }) }, "state 'A': field 'Label' is 'a b'"],
  [
    'a share over 100',
    { A: dist({ ToleratedFailurePercentage: 101 }) },
    "state 'A': field 'ToleratedFailurePercentage' must be a number from 0 to 100, but is 101",
  ],
  [
    'an empty writer',
    { A: dist({ ResultWriter: {} }) },
    "state 'A': ResultWriter: needs 'Resource' with 'Arguments', 'WriterConfig', or all three",
  ],
  [
    'a Parallel without branches',
    { A: { Type: 'Parallel', Branches: [], End: true } },
    "state 'A': field 'Branches' must be a list of at least one branch",
  ],
  [
    'a problem in a branch',
    { A: { Type: 'Parallel', Branches: [{ StartAt: 'X', States: { B: end } }], End: true } },
    "state 'A': Branches[0]: StartAt names the state 'X', which does not exist here (states: 'B')",
  ],
])('%s is refused', (_what, states, problem) => {
  expect(problemsOf(machineOf(states as Record<string, object>))).toContainEqual(expect.stringContaining(problem));
});

test('every problem is named at once', () => {
  const states = { A: { Type: 'Pass', Next: 'B', Result: 1 }, C: { ...task, Resource: 'x' } };
  expect(() => loadStateMachine({ name: 'tested', arn: machineArn, definition: machineOf(states) })).toThrow(
    /^state machine 'tested' can't be loaded:\n- .*'Result'.*\n- .*'Resource' is 'x'.*\n- .*goes to 'B'/,
  );
});

test.each([
  ['text that is no JSON', '{', /^the definition is not JSON/],
  ['a list', [], /^the definition must be an object/],
  ['an unknown field', machineOf({ A: end }, { Foo: 1 }), /^state machine: field 'Foo' is not supported/],
  ['an unknown version', machineOf({ A: end }, { Version: '2.0' }), /field 'Version' is "2.0"; supported: '1.0'/],
  [
    'no states',
    { QueryLanguage: 'JSONata', StartAt: 'A', States: {} },
    /field 'States' must be an object with at least one state/,
  ],
  [
    'JSONPath, by default',
    { StartAt: 'A', States: { A: { Type: 'Wait', Seconds: 1, End: true } } },
    /a Wait state in JSONPath is not supported .* set QueryLanguage to 'JSONata'/,
  ],
])('a machine of %s is refused', (_what, definition, problem) => {
  expect(problemsOf(definition)[0]).toMatch(problem);
});

test.each([
  [
    'waits for a job',
    { A: { ...task, Resource: 'arn:aws:states:::states:startExecution.sync:2', Arguments: { StateMachineArn: 'a' } } },
  ],
  [
    'waits for a token',
    { A: { ...task, Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken', Arguments: { FunctionName: 'a' } } },
  ],
  ['has a distributed map', { A: dist({}) }],
])('an EXPRESS machine that %s is refused', (_what, states) => {
  expect(problemsOf(machineOf(states as Record<string, object>))).toEqual([]);
  expect(problemsOf(machineOf(states as Record<string, object>), 'EXPRESS')).toHaveLength(1);
});

test('what is loaded does not change with the object that it was loaded from', () => {
  const definition = machineOf({ A: { Type: 'Pass', Output: { n: 1 }, End: true } }) as {
    States: { A: { Output: { n: number } } };
  };
  const machine = loadStateMachine({ name: 'tested', arn: machineArn, definition });
  definition.States.A.Output.n = 2;
  expect(machine.definition).toMatchObject({ States: { A: { Output: { n: 1 } } } });
});
