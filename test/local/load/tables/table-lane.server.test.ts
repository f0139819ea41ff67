import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { ClusterRegistry } from '../../../../core/cluster/cluster-registry';
import { loadDump } from '../../../../engines/postgresql/dump/load-dump';
import { compareWithLedger, Ledger, type RowName } from '../../../../local/load/ledger';
import type { Answer } from '../../../../local/load/figures';
import type { LoadOrder } from '../../../../local/load/load-process';
import { ShardMap } from '../../../../local/load/shard-map';
import { Refusals } from '../../../../local/load/tables/judge-write';
import { tableLanes } from '../../../../local/load/tables/table-lanes';
import { statesOf } from '../../../../local/scenarios/node-recovery/rows-by-key';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';
import { SimulatedRegistry } from '../../../support/simulated-registry';

const dump = join(__dirname, '..', '..', '..', 'engines', 'postgresql', 'dump', 'fixtures', 'every-peculiarity.sql');
const shard = 'shard_0000';
const words = { row: 'row', state: 'content' };

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.stop());

async function registryOf(schemas: readonly string[]): Promise<SimulatedRegistry> {
  const registry = new SimulatedRegistry();
  const clusters = new ClusterRegistry(registry);
  await clusters.add('test', {
    kind: 'NODE',
    value: {
      id: 'node-1',
      site: 'a',
      machineKind: 'ec2',
      machineId: 'i-1',
      host: 'node-1',
      port: server.address.port,
      state: 'serving',
      builder: null,
      replacedAtMs: [],
    },
  });
  await clusters.add('test', {
    kind: 'SHARD',
    value: {
      id: shard,
      schemas: [...schemas],
      epoch: 1,
      primary: 'node-1',
      follower: null,
      version: 1,
      state: 'in sync',
      fence: null,
    },
  });
  return registry;
}

test('a load on tables that nobody described: the ledger knows each row as the database holds it', async () => {
  const address = await freshDatabase(server);
  const { schemas } = await loadDump(server.source, address, dump, () => undefined);
  const map = new ShardMap(await registryOf(schemas), 'test', 'test.localhost');
  await map.start();
  const ledger = new Ledger();
  const refusals = new Refusals();
  const answers: Answer[] = [];
  const failures: string[] = [];
  const data = { kind: 'tables', shard: 0, schemas, lanes: 3 } as const;
  const order: LoadOrder = {
    controlUrl: '',
    controlToken: '',
    dnsServer: { host: '', port: 0 },
    zone: 'test.localhost',
    localAddress: '127.0.0.1',
    cluster: 'test',
    database: address.database,
    user: server.credentials.username,
    password: server.credentials.password,
    data,
    requestsPerSecond: 2_000,
    seed: 5,
    reportFile: '',
  };
  const { lanes, notes } = await tableLanes(order, data, {
    map,
    ledger,
    refusals,
    resolve: async () => address.host,
    answered: (answer) => answers.push(answer),
    failed: (_shard, reason) => failures.push(reason),
  });
  expect(notes).toContain('public.nothing_yet has no row to begin with: the load writes nothing to it');
  const adopted = new Map(ledger.ofShard(0));
  expect(adopted.size).toBeGreaterThan(300);
  const running = Promise.all(lanes.map((lane) => lane.run()));
  for (let waited = 0; answers.length < 900 && waited < 400; waited += 1) {
    await delay(50);
  }
  for (const lane of lanes) {
    lane.stop();
  }
  await running;
  map.stop();
  expect(failures).toEqual([]);

  const records = new Map(ledger.entries());
  const read = () => statesOf({ ...address, administrator: server.credentials }, [...records.keys()]);
  const found = await read();
  expect(compareWithLedger(records, found, words)).toEqual({
    missing: [],
    undead: [],
    lost: [],
    checked: records.size,
  });
  const changed = [...adopted].filter(([name, before]) => records.get(name)?.acknowledged !== before.acknowledged);
  const deleted = [...records].filter(([, record]) => record.acknowledged === null);
  const added = [...records.keys()].filter((name) => !adopted.has(name));
  expect([changed.length > 50, deleted.length > 5, added.length > 10]).toEqual([true, true, true]);
  // What the constraints of this data are known not to allow, and what would leave the ledger behind.
  const reasons = refusals.entries().map(([reason]) => reason);
  expect(reasons).toContainEqual(expect.stringMatching(/orders delete: it also changes rows of sales\.order_lines/));
  expect(reasons).toContainEqual(expect.stringMatching(/customers insert: constraint email_check refuses it/));

  // And a row that is lost, changed or back is found.
  const living = [...records].find(
    ([name, { acknowledged }]) => acknowledged !== null && tableOf(name) === 'just_keys',
  );
  const gone = deleted[0]?.[0];
  const client = await testClient(server, address);
  const [, , a, b] = JSON.parse(String(living?.[0])) as [string, string, string, string];
  await client.query('DELETE FROM public.just_keys WHERE a = $1 AND b = $2', [a, b]);
  await client.end();
  const verdict = compareWithLedger(records, await read(), words);
  expect(verdict.missing).toEqual([expect.stringContaining(`row ${living?.[0] ?? ''}: content`)]);
  const undead = compareWithLedger(records, new Map([...found, [gone ?? '', 'x']]), words).undead;
  expect(undead).toHaveLength(1);
});

function tableOf(name: RowName): unknown {
  return (JSON.parse(String(name)) as unknown[])[1];
}
