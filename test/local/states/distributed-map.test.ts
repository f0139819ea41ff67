import { gzipSync } from 'node:zlib';
import type { Json } from '../../../core/json';
import type { Execution, TaskCall } from '../../../local/states/execution';
import { StateError } from '../../../local/states/execution';
import type { TestWorld } from './in-memory-world';
import { machineArn, machineOf, start, testWorld } from './in-memory-world';

const functionArn = 'arn:aws:lambda:eu-central-1:111111111111:function:work';

const distributed = (
  more: object = {},
  states: object = { Work: { Type: 'Task', Resource: functionArn, End: true } },
): object => ({
  Type: 'Map',
  ItemProcessor: {
    ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
    StartAt: Object.keys(states)[0],
    States: states,
  },
  Label: 'chunks',
  End: true,
  ...more,
});

const types = (execution: Execution | undefined): readonly string[] =>
  execution?.history.map((event) => event.type) ?? [];

const reading = (
  inputType: string | null,
  config: object = {},
  source = 'getObject',
  args: object = { Bucket: 'b', Key: 'k' },
): object => ({
  ItemReader: {
    Resource: `arn:aws:states:::s3:${source}`,
    ...(inputType === null ? {} : { ReaderConfig: { InputType: inputType, ...config } }),
    Arguments: args,
  },
});

/** Fails for the items that are 'bad'. */
function worker(call: TaskCall): Json {
  if (call.arguments === 'bad') {
    throw new StateError('ChunkDamaged', 'checksum differs');
  }
  return { done: call.arguments };
}

describe('children', () => {
  test('are executions of their own, and their outputs come in the order of the items', async () => {
    const world: TestWorld = testWorld(async (call) => {
      await world.clock.sleep(1000 * (3 - Number(call.arguments)));
      return Number(call.arguments) * 10;
    });
    const execution = start(machineOf({ Chunks: distributed({ Items: [0, 1, 2] }) }), world);
    expect(await execution.finished).toMatchObject({ status: 'SUCCEEDED', output: [0, 10, 20] });
    expect(types(execution)).toEqual([
      'ExecutionStarted',
      'MapStateEntered',
      'MapStateStarted',
      'MapRunStarted',
      'MapRunSucceeded',
      'MapStateSucceeded',
      'MapStateExited',
      'ExecutionSucceeded',
    ]);
    const child = world.executions[1];
    expect(child?.stateMachineArn).toBe(`${machineArn}/chunks`);
    expect(child?.arn).toMatch(/^arn:aws:states:eu-central-1:111111111111:execution:tested\/chunks:[0-9a-f-]{36}$/);
    expect(types(child)).toEqual([
      'ExecutionStarted',
      'TaskStateEntered',
      'LambdaFunctionScheduled',
      'LambdaFunctionStarted',
      'LambdaFunctionSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ]);
  });

  test('never run more at once than MaxConcurrency', async () => {
    let running = 0;
    let most = 0;
    const world: TestWorld = testWorld(async (call) => {
      running++;
      most = Math.max(most, running);
      await world.clock.sleep(10 + Number(call.arguments));
      running--;
      return null;
    });
    const items = Array.from({ length: 20 }, (_, index) => index);
    const result = await start(machineOf({ Chunks: distributed({ MaxConcurrency: 3, Items: items }) }), world).finished;
    expect(result.status).toBe('SUCCEEDED');
    expect(most).toBe(3);
    expect(world.calls).toHaveLength(20);
  });

  test('see no variables of the machine that started them', async () => {
    const definition = machineOf({
      Set: { Type: 'Pass', Assign: { cluster: 'orders' }, Next: 'Chunks' },
      Chunks: distributed(
        { Items: [1], ToleratedFailureCount: 1, Output: '{% $states.result[0].Error %}' },
        { Read: { Type: 'Pass', Output: '{% $cluster %}', End: true } },
      ),
    });
    expect((await start(definition, testWorld()).finished).output).toBe('States.QueryEvaluationError');
  });

  test('wait for task tokens through the execution that started them', async () => {
    const world = testWorld();
    const ask = {
      Ask: {
        Type: 'Task',
        Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
        Arguments: { FunctionName: 'ask', Payload: { token: '{% $states.context.Task.Token %}' } },
        End: true,
      },
    };
    const execution = start(machineOf({ Chunks: distributed({ Items: ['a', 'b'] }, ask) }), world);
    await world.clock.sleep(1);
    const tokens = world.calls.map((call) => call.taskToken ?? '');
    expect(new Set(tokens).size).toBe(2);
    tokens.forEach((token, index) => {
      execution.sendTaskSuccess(token, index);
    });
    expect((await execution.finished).output).toEqual([0, 1]);
  });

  test('of type EXPRESS end after 5 minutes, which counts as a failure', async () => {
    const definition = machineOf({
      Chunks: {
        ...distributed({ Items: [1] }),
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' },
          StartAt: 'Long',
          States: { Long: { Type: 'Wait', Seconds: 301, End: true } },
        },
      },
    });
    const world = testWorld();
    expect(await start(definition, world).finished).toMatchObject({ error: 'States.ExceedToleratedFailureThreshold' });
    expect(world.executions[1]?.status).toBe('TIMED_OUT');
  });
});

describe('failures', () => {
  const items = ['a', 'bad', 'b', 'bad', 'c'];

  test.each([
    ['nothing said: none is tolerated', {}, 'FAILED'],
    ['2 of 5 with a count of 2', { ToleratedFailureCount: 2 }, 'SUCCEEDED'],
    ['2 of 5 with a count of 1', { ToleratedFailureCount: 1 }, 'FAILED'],
    ['2 of 5 with 40 percent', { ToleratedFailurePercentage: 40 }, 'SUCCEEDED'],
    ['2 of 5 with 39 percent', { ToleratedFailurePercentage: 39 }, 'FAILED'],
    ['either bound fails it', { ToleratedFailureCount: 4, ToleratedFailurePercentage: 39 }, 'FAILED'],
    ['by expression', { ToleratedFailureCount: '{% $count($states.input) - 3 %}' }, 'SUCCEEDED'],
  ])('%s', async (_rule, tolerance, status) => {
    const result = await start(
      machineOf({ Chunks: distributed({ MaxConcurrency: 1, ...tolerance }) }),
      testWorld(worker),
      items,
    ).finished;
    expect(result.status).toBe(status);
    expect(result.error).toBe(status === 'FAILED' ? 'States.ExceedToleratedFailureThreshold' : null);
  });

  test('a batch that fails counts as many failures as it has items', async () => {
    const batched = { Items: [1, 2, 3, 4], ItemBatcher: { MaxItemsPerBatch: 2 }, ToleratedFailureCount: 1 };
    const world = testWorld((call) => {
      throw new StateError('Broken', JSON.stringify(call.arguments));
    });
    const result = await start(machineOf({ Chunks: distributed({ ...batched, MaxConcurrency: 1 }) }), world).finished;
    expect(result.error).toBe('States.ExceedToleratedFailureThreshold');
    expect(world.calls).toHaveLength(1);
  });

  test('past the tolerated share nothing more is started and what runs is stopped', async () => {
    const world: TestWorld = testWorld(async (call) => {
      await world.clock.sleep(call.arguments === 'bad' ? 1000 : 5000, call.signal);
      return worker(call);
    });
    const execution = start(
      machineOf({ Chunks: distributed({ MaxConcurrency: 2, Items: ['a', 'bad', 'b', 'c'] }) }),
      world,
    );
    expect(await execution.finished).toMatchObject({
      error: 'States.ExceedToleratedFailureThreshold',
      cause: 'The specified tolerated failure threshold was exceeded',
    });
    expect(types(execution).slice(-3)).toEqual(['MapRunFailed', 'MapStateFailed', 'ExecutionFailed']);
    expect(world.executions.slice(1).map((child) => child.status)).toEqual(['ABORTED', 'FAILED']);
  });

  test('can be caught and retried like those of any state', async () => {
    let first = true;
    const world = testWorld((call) => {
      const fails = first && call.arguments === 2;
      first = first && !fails;
      if (fails) {
        throw new StateError('ChunkDamaged', '');
      }
      return call.arguments;
    });
    const retry = [{ ErrorEquals: ['States.ExceedToleratedFailureThreshold'], IntervalSeconds: 5 }];
    const result = await start(machineOf({ Chunks: distributed({ Items: [1, 2], Retry: retry }) }), world).finished;
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: [1, 2] });
  });

  test.each([-0.1, 100.1])('a share of %p percent is States.Runtime', async (percentage) => {
    const definition = machineOf({
      Chunks: distributed({ Items: [], ToleratedFailurePercentage: `{% ${percentage} %}` }),
    });
    expect(await start(definition, testWorld()).finished).toMatchObject({
      error: 'States.Runtime',
      cause: expect.stringMatching(/ToleratedFailurePercentage must be between 0 and 100\.$/) as string,
    });
  });
});

describe('batches', () => {
  test('carry the BatchInput and at most MaxItemsPerBatch selected items', async () => {
    const definition = machineOf({
      Chunks: distributed({
        Items: '{% $states.input.ids %}',
        ItemSelector: { id: '{% $states.context.Map.Item.Value %}', at: '{% $states.context.Map.Item.Index %}' },
        ItemBatcher: { MaxItemsPerBatch: 2, BatchInput: { cluster: '{% $states.input.cluster %}' } },
      }),
    });
    const world = testWorld((call) => call.arguments);
    const result = await start(definition, world, { cluster: 'orders', ids: ['x', 'y', 'z'] }).finished;
    expect(result.output).toEqual([
      {
        BatchInput: { cluster: 'orders' },
        Items: [
          { id: 'x', at: 0 },
          { id: 'y', at: 1 },
        ],
      },
      { BatchInput: { cluster: 'orders' }, Items: [{ id: 'z', at: 2 }] },
    ]);
  });

  test('are as full as MaxInputBytesPerBatch allows, and never fuller', async () => {
    const items = Array.from({ length: 50 }, (_, index) => 'ä'.repeat(index));
    const world = testWorld((call) => call.arguments);
    const definition = machineOf({
      Chunks: distributed({ Items: items, ItemBatcher: { MaxInputBytesPerBatch: 300 } }),
    });
    const result = await start(definition, world).finished;
    const batches = result.output as unknown as readonly { readonly Items: readonly string[] }[];
    expect(batches.flatMap((batch) => batch.Items)).toEqual(items);
    const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
    batches.forEach((batch, index) => {
      expect(bytes(batch)).toBeLessThanOrEqual(300);
      const next = batches[index + 1]?.Items[0];
      expect(bytes({ Items: [...batch.Items, ...(next === undefined ? [] : [next, next])] })).toBeGreaterThan(
        next === undefined ? 0 : 300,
      );
    });
  });

  test('an item that is over the limit alone fails the map', async () => {
    const definition = machineOf({
      Chunks: distributed({ Items: ['x'.repeat(400)], ItemBatcher: { MaxInputBytesPerBatch: 300 } }),
    });
    expect(await start(definition, testWorld()).finished).toMatchObject({ error: 'States.DataLimitExceeded' });
  });
});

describe('the item reader', () => {
  async function read(body: string | Buffer, fields: object): Promise<unknown> {
    const world = testWorld((call) => call.arguments);
    await world.objects.putObject('b', 'k', Buffer.from(body));
    const result = await start(machineOf({ Chunks: distributed(fields) }), world).finished;
    return result.status === 'SUCCEEDED' ? result.output : `${result.error ?? ''}: ${result.cause ?? ''}`;
  }

  test.each([
    ['a JSON list', '[1,{"a":2}]', reading('JSON'), [1, { a: 2 }]],
    ['a JSON object', '{"a":2}', reading('JSON'), 'States.ItemReaderFailed: Attempting to map over non-iterable node.'],
    ['JSON lines, empty ones left out', '{"a":1}\n\n{"a":2}\n', reading('JSONL'), [{ a: 1 }, { a: 2 }]],
    [
      'CSV with its headers',
      'id,name\n1,"a, ""b"""\r\n2\n3,c,more\n',
      reading('CSV', { CSVHeaderLocation: 'FIRST_ROW' }),
      [
        { id: '1', name: 'a, "b"' },
        { id: '2', name: '' },
        { id: '3', name: 'c' },
      ],
    ],
    [
      'CSV with given headers and delimiter',
      '1|x\n2|"y\nz"',
      reading('CSV', { CSVHeaderLocation: 'GIVEN', CSVHeaders: ['id', 'v'], CSVDelimiter: 'PIPE' }),
      [
        { id: '1', v: 'x' },
        { id: '2', v: 'y\nz' },
      ],
    ],
    [
      'CSV with a header twice',
      'id,id\n1,2',
      reading('CSV', { CSVHeaderLocation: 'FIRST_ROW' }),
      'States.ItemReaderFailed: CSV headers cannot contain duplicates.',
    ],
    ['at most MaxItems', '[1,2,3]', reading('JSON', { MaxItems: 2 }), [1, 2]],
    ['MaxItems 0 is all', '[1,2,3]', reading('JSON', { MaxItems: 0 }), [1, 2, 3]],
    [
      'MaxItems -1',
      '[1,2,3]',
      reading('JSON', { MaxItems: '{% -1 %}' }),
      'States.ItemReaderFailed: field MaxItems must be positive',
    ],
    [
      'an object that is not there',
      '[]',
      reading('JSON', {}, 'getObject', { Bucket: 'b', Key: 'other' }),
      'States.ItemReaderFailed: The specified key does not exist.',
    ],
  ])('%s', async (_what, body, fields, expected) => {
    expect(await read(body, fields)).toEqual(expected);
  });

  test('lists objects below a prefix', async () => {
    const world = testWorld((call) => call.arguments);
    await world.objects.putObject('b', 'chunks/2', Buffer.from('four'));
    await world.objects.putObject('b', 'chunks/1', Buffer.from('one'));
    await world.objects.putObject('b', 'other', Buffer.from(''));
    const fields = reading(null, {}, 'listObjectsV2', { Bucket: 'b', Prefix: 'chunks/' });
    const result = await start(machineOf({ Chunks: distributed(fields) }), world).finished;
    expect(result.output).toEqual([
      { Etag: '"etag"', Key: 'chunks/1', LastModified: 1_700_000_000, Size: 3, StorageClass: 'STANDARD' },
      { Etag: '"etag"', Key: 'chunks/2', LastModified: 1_700_000_000, Size: 4, StorageClass: 'STANDARD' },
    ]);
  });

  test('reads an S3 inventory through its manifest', async () => {
    const world = testWorld((call) => call.arguments);
    const manifest = {
      destinationBucket: 'arn:aws:s3:::inv',
      fileFormat: 'CSV',
      fileSchema: 'Bucket, Key',
      files: [{ key: 'data/1.csv.gz' }],
    };
    await world.objects.putObject('b', 'k', Buffer.from(JSON.stringify(manifest)));
    await world.objects.putObject('inv', 'data/1.csv.gz', gzipSync('"src","a"\n"src","b"\n'));
    const result = await start(machineOf({ Chunks: distributed(reading('MANIFEST')) }), world).finished;
    expect(result.output).toEqual([
      { Bucket: 'src', Key: 'a' },
      { Bucket: 'src', Key: 'b' },
    ]);
  });
});

describe('the result writer', () => {
  const writer = (config?: object): object => ({
    ResultWriter: {
      Resource: 'arn:aws:states:::s3:putObject',
      Arguments: { Bucket: 'results', Prefix: '{% "runs/" & $states.input.cluster %}' },
      ...(config === undefined ? {} : { WriterConfig: config }),
    },
  });

  async function written(more: object, world: TestWorld): Promise<{ readonly output: Json; readonly folder: string }> {
    const execution = start(machineOf({ Chunks: distributed({ ToleratedFailureCount: 1, ...more }) }), world, {
      cluster: 'orders',
    });
    const { output } = await execution.finished;
    const key = [...world.objects.bodies.keys()].find((name) => name.endsWith('manifest.json')) ?? '';
    return { output, folder: key.replace('/manifest.json', '') };
  }

  test('writes a file for each kind of ending and a manifest, and the state gives where it is', async () => {
    const world = testWorld(worker);
    const { output, folder } = await written({ Items: ['a', 'bad', 'b'], ...writer() }, world);
    const runId = folder.slice('results/runs/orders/'.length);
    expect(output).toEqual({
      MapRunArn: `arn:aws:states:eu-central-1:111111111111:mapRun:tested/chunks:${runId}`,
      ResultWriterDetails: { Bucket: 'results', Key: `runs/orders/${runId}/manifest.json` },
    });
    const size = (name: string): number => world.objects.bodies.get(`${folder}/${name}`)?.length ?? -1;
    expect(world.objects.json(`${folder}/manifest.json`)).toEqual({
      DestinationBucket: 'results',
      MapRunArn: (output as { MapRunArn: string }).MapRunArn,
      ResultFiles: {
        FAILED: [{ Key: `runs/orders/${runId}/FAILED_0.json`, Size: size('FAILED_0.json') }],
        PENDING: [],
        SUCCEEDED: [{ Key: `runs/orders/${runId}/SUCCEEDED_0.json`, Size: size('SUCCEEDED_0.json') }],
      },
    });
    expect(world.objects.json(`${folder}/SUCCEEDED_0.json`)).toEqual([
      expect.objectContaining({
        Input: '"a"',
        Output: '{"done":"a"}',
        Status: 'SUCCEEDED',
        Name: world.executions[1]?.name,
      }),
      expect.objectContaining({
        Input: '"b"',
        Output: '{"done":"b"}',
        Status: 'SUCCEEDED',
        ExecutionArn: world.executions[3]?.arn,
      }),
    ]);
    expect(world.objects.json(`${folder}/FAILED_0.json`)).toEqual([
      expect.objectContaining({ Input: '"bad"', Status: 'FAILED', Error: 'ChunkDamaged', Cause: 'checksum differs' }),
    ]);
  });

  test('writes also what a failed run has done and left undone', async () => {
    const world = testWorld(worker);
    const { output, folder } = await written(
      { Items: ['a', 'bad', 'bad', 'b'], MaxConcurrency: 1, ...writer() },
      world,
    );
    expect(output).toBeNull();
    const statuses = (name: string): unknown =>
      (world.objects.json(`${folder}/${name}`) as { Status: string }[]).map((each) => each.Status);
    expect([statuses('SUCCEEDED_0.json'), statuses('FAILED_0.json'), statuses('PENDING_0.json')]).toEqual([
      ['SUCCEEDED'],
      ['FAILED', 'FAILED'],
      ['PENDING'],
    ]);
  });

  test('COMPACT, as JSON lines', async () => {
    const world = testWorld(worker);
    const { folder } = await written(
      { Items: ['a', 'b'], ...writer({ Transformation: 'COMPACT', OutputType: 'JSONL' }) },
      world,
    );
    expect(world.objects.bodies.get(`${folder}/SUCCEEDED_0.jsonl`)?.toString()).toBe('{"done":"a"}\n{"done":"b"}\n');
  });

  test('FLATTEN without a bucket joins the lists in the state', async () => {
    const fields = {
      Items: [[1, 2], 3],
      ResultWriter: { WriterConfig: { Transformation: 'FLATTEN', OutputType: 'JSON' } },
    };
    const { output } = await written(
      fields,
      testWorld((call) => call.arguments),
    );
    expect(output).toEqual([1, 2, 3]);
  });

  test('that cannot write fails the state', async () => {
    const world = testWorld(worker);
    world.objects.putObject = async () => {
      throw new Error('no such bucket');
    };
    const result = await start(machineOf({ Chunks: distributed({ Items: ['a'], ...writer() }) }), world, {
      cluster: 'orders',
    }).finished;
    expect(result).toMatchObject({ error: 'States.ResultWriterFailed', cause: 'no such bucket' });
  });
});
