import { mkdtempSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSettingsSchema, type ClusterSettings } from '../../../core/cluster/settings';
import type { MachinePorts } from '../../../local/control/cloud-options';
import { LocalCloud } from '../../../local/control/local-cloud';
import { ControlClient } from '../../../local/control/control-client';
import { synthesizeGreetings } from './fixtures/greeting-app';

const orders: ClusterSettings = {
  ...clusterSettingsSchema.parse({
    layout: 'sharded',
    database: 'shop',
    secret: 'orders/admin',
    tls: 'disabled',
    sites: {},
    nodes: {},
  }),
  name: 'orders',
};

let root: string;
let cloud: LocalCloud;
const said: string[] = [];

const start = async (): Promise<LocalCloud> =>
  LocalCloud.start({
    directory: join(root, '.rejoin', 'run'),
    templates: join(root, 'cdk.out'),
    settings: [orders],
    secrets: { 'orders/admin': { username: 'admin', password: 'of the database' } },
    ports: {} as MachinePorts,
    keep: true,
    say: (line) => said.push(line),
    alarmEveryMs: 100,
    eventRetryDelaysMs: [10],
    handlesSignals: false,
  });

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'rejoin-cloud-'));
  synthesizeGreetings(join(root, 'cdk.out'));
  cloud = await start();
}, 120_000);
afterAll(async () => {
  await cloud.close();
  rmSync(root, { recursive: true });
});

/** What the function that is called by rules was called with, of one kind. */
async function noted(kind: string): Promise<readonly Record<string, unknown>[]> {
  return (await cloud.registry.list('NOTED', `${kind}#`)).map(({ value }) => value);
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const givesUpAtMs = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > givesUpAtMs) {
      throw new Error(`it did not come to: ${String(condition)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const greet = async (name: string, who: string): Promise<Awaited<ReturnType<typeof cloud.executions.start>>> =>
  cloud.executions.start({ machine: 'greeting', name, input: { who } });
const resultOf = async (name: string, machine = 'greeting'): Promise<unknown> =>
  (await cloud.executions.find(machine, name).finished).output;

describe('a deployed state machine', () => {
  test('runs its step in a process of its own, with the ports of this cloud', async () => {
    expect(await greet('first', 'world')).toEqual({
      arn: 'arn:aws:states:eu-central-1:123456789012:execution:rejoin-greeting:first',
      started: true,
    });
    expect(await resultOf('first')).toEqual({ greeting: 'hello world', state: 'Greet somebody', times: 1, done: true });
    expect(await cloud.registry.read({ pk: 'GREETING', sk: 'world' })).toEqual({ times: 1 });
    const body = await cloud.bucket('REJOIN_BACKUPS_BUCKET').read('greetings/world.txt');
    expect(body.toString()).toBe('hello world of shop');
    expect(await cloud.metrics.newest('Greetings', { Who: 'world' }, 60)).toBe(1);
    expect(cloud.calls.at(-1)).toMatchObject({ functionName: 'greetings-greet', ok: true });
  });

  test('is described, with the states that it has been in', async () => {
    const record = await cloud.executions.describe('greeting', 'first');
    expect(record).toMatchObject({ status: 'succeeded', output: { greeting: 'hello world' } });
    expect(record?.endedAtMs).toBeGreaterThanOrEqual(record?.startedAtMs ?? 0);
    const visits = await cloud.executions.visits('greeting', 'first');
    expect(visits.map(({ state, exitedAtMs }) => [state, exitedAtMs !== null])).toEqual([
      ['Greet somebody', true],
      ['Done', true],
    ]);
    expect(await cloud.executions.describe('greeting', 'none')).toBeNull();
  });

  test('keeps the names of its executions taken', async () => {
    const events = (await noted('NodeSilent')).length;
    expect(await greet('first', 'world')).toMatchObject({ started: false });
    expect(await greet('first', 'somebody else')).toMatchObject({ started: false });
    expect((await noted('NodeSilent')).length).toBe(events);
  });

  test('is started by another one, which gets its output', async () => {
    await cloud.executions.start({ machine: 'outer', name: 'nested', input: { who: 'child' } });
    expect(await resultOf('nested', 'outer')).toMatchObject({ greeting: 'hello child', done: true });
    const nested = await cloud.executions.find('outer', 'nested').finished;
    expect(nested.status).toBe('SUCCEEDED');
  });

  test('that fails fails the one that started it, with the reason', async () => {
    await cloud.executions.start({ machine: 'outer', name: 'nested-wrong', input: { who: 7 } });
    const result = await cloud.executions.find('outer', 'nested-wrong').finished;
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.TaskFailed' });
    const child = JSON.parse(result.cause ?? '{}') as { Status: string; Error: string; Cause: string };
    expect(child).toMatchObject({ Status: 'FAILED', Error: 'InvalidInput' });
    expect(child.Cause).toContain('who: Invalid input');
  });

  test('maps over the items of an object, and writes the results to another', async () => {
    const backups = cloud.bucket('REJOIN_BACKUPS_BUCKET');
    await backups.write(
      'guests.json',
      Buffer.from(JSON.stringify([{ name: 'Ada' }, { name: 'Grace' }, { name: 'Edsger' }])),
    );
    await cloud.executions.start({ machine: 'everybody', name: 'party', input: {} });
    const { status, output } = await cloud.executions.find('everybody', 'party').finished;
    expect(status).toBe('SUCCEEDED');
    const { ResultWriterDetails: written } = output as { ResultWriterDetails: { Bucket: string; Key: string } };
    expect(written.Bucket).toBe(backups.bucket);
    const manifest = JSON.parse((await backups.read(written.Key)).toString()) as {
      ResultFiles: { SUCCEEDED: { Key: string }[] };
    };
    const [file] = manifest.ResultFiles.SUCCEEDED;
    const results = JSON.parse((await backups.read(file?.Key ?? '')).toString()) as { Output: string }[];
    expect(results.map((result) => JSON.parse(result.Output) as unknown).sort()).toEqual([
      'hello Ada',
      'hello Edsger',
      'hello Grace',
    ]);
    const children = join(cloud.run.path, 'executions', 'everybody', 'Everybody');
    await until(() => existsSync(children) && readdirSync(children).length === 3);
  });

  test('writes its history to a file', async () => {
    const file = join(cloud.run.path, 'executions', 'greeting', 'first.json');
    await until(() => existsSync(file));
    const kept = (): { status: string; history: { type: string }[] } =>
      JSON.parse(readFileSync(file, 'utf8')) as { status: string; history: { type: string }[] };
    await until(() => kept().status === 'SUCCEEDED');
    expect(kept().history.map(({ type }) => type)).toEqual([
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskSucceeded',
      'TaskStateExited',
      'PassStateEntered',
      'PassStateExited',
      'ExecutionSucceeded',
    ]);
  });
});

describe('a step whose process is killed', () => {
  test.each([
    ['before the handler runs', { at: 'start' }],
    ['before its first effect', { at: 'effect', number: 1, moment: 'before' }],
    ['after its first effect', { at: 'effect', number: 1, moment: 'after' }],
    ['after its last effect', { at: 'effect', number: 4, moment: 'after' }],
    ['after it returned', { at: 'return' }],
  ] as const)('%s is called again', async (what, moment) => {
    const name = what.replaceAll(' ', '-');
    cloud.functions.killOrders.killNext({ state: 'Greet somebody' }, moment);
    await greet(name, name);
    // It returned, so its answer is kept: the second call gives it without doing anything.
    const greetedTwice = moment.at === 'effect' && (moment.number > 1 || moment.moment === 'after');
    expect(await resultOf(name)).toMatchObject({ greeting: `hello ${name}`, times: greetedTwice ? 2 : 1 });
    expect(cloud.functions.killOrders.waiting).toHaveLength(0);
    const types = cloud.executions.find('greeting', name).history.map(({ type }) => type);
    expect(types.filter((type) => type === 'TaskFailed')).toHaveLength(1);
  });
});

describe('events', () => {
  test('that a step publishes start what its rule names', async () => {
    await greet('announces', 'announcer');
    await resultOf('announces');
    await until(async () =>
      (await noted('NodeSilent')).some(({ detail }) => (detail as { who?: string }).who === 'announcer'),
    );
    const [event] = (await noted('NodeSilent')).filter(
      ({ detail }) => (detail as { who?: string }).who === 'announcer',
    );
    expect(event).toMatchObject({
      source: 'rejoin',
      'detail-type': 'NodeSilent',
      detail: { cluster: 'orders', who: 'announcer' },
      region: 'eu-central-1',
    });
  });

  test('can be lost, and delivered twice', async () => {
    const about = (who: string) => async (): Promise<number> =>
      (await noted('NodeSilent')).filter(({ detail }) => (detail as { who?: string }).who === who).length;
    cloud.events.loseNext(1);
    await cloud.events.publish({ type: 'NodeSilent', cluster: 'orders', detail: { who: 'lost' } });
    cloud.events.repeatNext(1);
    await cloud.events.publish({ type: 'NodeSilent', cluster: 'orders', detail: { who: 'repeated' } });
    await cloud.events.publish({ type: 'NodeSilent', cluster: 'orders', detail: { who: 'once' } });
    await cloud.events.settled();
    expect([await about('lost')(), await about('repeated')(), await about('once')()]).toEqual([0, 2, 1]);
  });

  test('a schedule does what it does when its time has come, and a function that fails is called again', async () => {
    cloud.events.fireSchedule('Greets each night');
    await cloud.events.settled();
    expect(await noted('nightly')).toHaveLength(1);
    expect(await cloud.registry.read({ pk: 'FAILED', sk: 'calls' })).toEqual({ calls: 2 });
    await until(async () => (await cloud.registry.read({ pk: 'GREETING', sk: 'the night' })) !== null);
    expect(() => {
      cloud.events.fireSchedule('Greets each day');
    }).toThrow(/there are: 'Greets each night'/);
  });
});

describe('alarms', () => {
  const name = 'rejoin/heartbeat/orders/node-3';

  test('go off when the metric stays out, and that is an event', async () => {
    expect(cloud.alarms.stateOf(name)).toBe('INSUFFICIENT_DATA');
    await cloud.metrics.publish([{ name: 'Heartbeat', unit: 'Count', value: 1, dimensions: { Node: 'node-3' } }]);
    await until(() => cloud.alarms.stateOf(name) === 'OK');
    await until(() => cloud.alarms.stateOf(name) === 'ALARM');
    await until(async () => (await noted('alarm')).length > 0);
    expect(await noted('alarm')).toEqual([{ 'detail-type': 'alarm', name }]);
  });

  test('can be set by hand', async () => {
    await cloud.alarms.set(name, 'OK', 'for a test');
    await cloud.alarms.set(name, 'ALARM', 'for a test');
    await until(async () => (await noted('alarm')).length >= 2);
    await expect(cloud.alarms.set('none', 'OK', '')).rejects.toMatchObject({
      name: 'NotFound',
      message: expect.stringContaining(name) as string,
    });
  });
});

describe('an agent', () => {
  test('finds the cloud by its environment, and its link can be cut', async () => {
    const environment = cloud.agentEnvironment({ nodeId: 'node-3', address: '127.0.0.1' });
    expect(environment).toMatchObject({
      REJOIN_NODE: 'node-3',
      REJOIN_ADDRESS: '127.0.0.1',
      REJOIN_EVENT_BUS: 'rejoin',
    });
    const client = new ControlClient({
      url: environment['REJOIN_CONTROL_URL'] ?? '',
      token: environment['REJOIN_CONTROL_TOKEN'] ?? '',
      nodeId: 'node-3',
      localAddress: null,
    });
    expect(await client.port('executions').running('greeting')).toEqual([]);
    cloud.links.cut('node-3');
    await expect(client.port('registry').read({ pk: 'a', sk: 'b' })).rejects.toMatchObject({
      name: 'RegistryThrottled',
    });
    cloud.links.heal('node-3');
    client.close();
  });
});

test('settings and secrets are readable by their owner only', () => {
  for (const file of ['settings/orders', 'secrets/orders.d/admin']) {
    expect(statSync(join(cloud.run.path, file)).mode & 0o777).toBe(0o600);
  }
});

test('a directory in use is refused, and closing leaves no process and a readable run', async () => {
  await expect(start()).rejects.toMatchObject({ name: 'ApiRefused' });
  await greet('runs-on', 'nobody');
  await cloud.close();
  await cloud.close();
  expect(readdirSync(cloud.run.path)).toEqual(
    expect.arrayContaining(['events.jsonl', 'executions', 'logs', 'metrics.jsonl', 'objects', 'registry', 'run.ended']),
  );
  const ended = JSON.parse(readFileSync(join(cloud.run.path, 'executions', 'greeting', 'runs-on.json'), 'utf8')) as {
    status: string;
  };
  expect(ended.status).toBe('ABORTED');
  cloud = await start();
  expect(readdirSync(cloud.run.path)).not.toContain('events.jsonl');
});
