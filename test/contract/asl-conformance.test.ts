import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../../core/json';
import type { HistoryEvent, TaskCall } from '../../local/states/execution';
import { StateError } from '../../local/states/execution';
import { isJsonObject } from '../../local/states/template';
import { start, testWorld } from '../local/states/in-memory-world';

interface Recorded {
  readonly id: string;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly definition: object;
  readonly input: Json;
  readonly lambdas: Readonly<Record<string, 'id_function' | 'raise_exception'>>;
  readonly s3?: readonly { readonly bucket: string; readonly key: string; readonly body: string }[];
  readonly expect: {
    readonly status: string;
    readonly output?: Json;
    readonly error?: string | null;
    readonly cause?: string | null;
    readonly lambdaCalls?: number;
    readonly entered?: readonly string[];
    readonly exits?: readonly {
      readonly name: string;
      readonly output: Json;
      readonly assigned?: Readonly<Record<string, Json>>;
    }[];
    readonly evaluationFailed?: readonly Readonly<Record<string, string>>[];
  };
  readonly wild: readonly string[];
}

const casesFile = join(__dirname, '../../../shared/asl-conformance/cases.json');
const found = existsSync(casesFile);
const cases = found ? (JSON.parse(readFileSync(casesFile, 'utf8')) as readonly Recorded[]) : [];

/** What differs between two calls of the same service: not compared. */
const ignored = new Set(['SdkHttpMetadata', 'SdkResponseMetadata', 'requestId', 'stackTrace']);

/** JSON inside a text as JSON, without what is ignored; a wild word stands for anything. */
function comparable(value: unknown, wild: readonly string[]): unknown {
  if (typeof value === 'string') {
    if (wild.includes(value)) {
      return expect.anything();
    }
    const inner = /^\s*[[{]/.test(value) ? parseJson(value) : undefined;
    return inner === undefined ? value : { asJson: comparable(inner, wild) };
  }
  if (Array.isArray(value)) {
    return value.map((item) => comparable(item, wild));
  }
  if (isJsonObject(value)) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => !ignored.has(name))
        .map(([name, field]) => [name, comparable(field, wild)]),
    );
  }
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The functions of the recordings: one gives back its event, one always throws. */
function callLambda(recorded: Recorded, call: TaskCall): Json {
  const bare = call.resource.includes(':function:');
  const args = isJsonObject(call.arguments) ? call.arguments : {};
  const functionName = args['FunctionName'];
  const name = bare || typeof functionName !== 'string' ? call.resource : functionName;
  const behaviour = recorded.lambdas[name.slice(name.lastIndexOf(':') + 1)];
  if (behaviour === undefined) {
    throw new StateError('Lambda.ResourceNotFoundException', `no function ${name}`);
  }
  if (behaviour === 'raise_exception') {
    throw new StateError(
      'Exception',
      JSON.stringify({
        errorMessage: 'Some exception was raised.',
        errorType: 'Exception',
        requestId: 'any',
        stackTrace: [],
      }),
    );
  }
  return bare ? call.arguments : { ExecutedVersion: '$LATEST', Payload: args['Payload'] ?? {}, StatusCode: 200 };
}

const parsedAll = (values: Readonly<Record<string, string>> | undefined): unknown =>
  values === undefined
    ? undefined
    : Object.fromEntries(Object.entries(values).map(([name, text]) => [name, JSON.parse(text)]));

function observed(history: readonly HistoryEvent[], recorded: Recorded): object {
  const exits = history.flatMap(({ stateExitedEventDetails: exit }) =>
    exit === undefined
      ? []
      : [{ name: exit.name, output: JSON.parse(exit.output) as Json, assigned: parsedAll(exit.assignedVariables) }],
  );
  const all = {
    entered: history.flatMap(({ stateEnteredEventDetails: entered }) => (entered === undefined ? [] : [entered.name])),
    exits,
    evaluationFailed: history.flatMap(({ evaluationFailedEventDetails: failed }) =>
      failed === undefined ? [] : [failed],
    ),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => Object.hasOwn(recorded.expect, name)));
}

if (found) {
  test('all 77 recorded cases are here', () => {
    expect(cases).toHaveLength(77);
  });

  test.each(cases.map((recorded) => [recorded.id, recorded] as const))('as on AWS: %s', async (_id, recorded) => {
    const world = testWorld((call) => callLambda(recorded, call));
    for (const { bucket, key, body } of recorded.s3 ?? []) {
      await world.objects.putObject(bucket, key, Buffer.from(body));
    }
    const execution = start(recorded.definition, world, recorded.input, recorded.type);
    const result = await execution.finished;
    const outcome = {
      status: result.status,
      ...('output' in recorded.expect ? { output: result.output } : {}),
      ...('error' in recorded.expect ? { error: result.error } : {}),
      ...('cause' in recorded.expect ? { cause: result.cause } : {}),
      ...('lambdaCalls' in recorded.expect ? { lambdaCalls: world.calls.length } : {}),
      ...observed(execution.history, recorded),
    };
    expect(comparable(outcome, [])).toEqual(comparable(recorded.expect, recorded.wild));
  });
} else {
  test(`the recorded cases were not found at ${casesFile}: conformance with AWS was NOT checked`, () => {
    expect(cases).toHaveLength(0);
  });
}
