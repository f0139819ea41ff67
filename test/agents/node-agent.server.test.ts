import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { NodeAgent } from '../../agents/node-agent/agent';
import { systemClock } from '../../adapters/system-clock';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { NodeItem, Shard } from '../../core/cluster/items';
import { clusterSettingsSchema, type ClusterSettings } from '../../core/cluster/settings';
import { comparePositions } from '../../core/cluster/position';
import type { JsonObject } from '../../core/json';
import { followName } from '../../core/node-recovery/ownership';
import { readReportedPosition } from '../../core/node-recovery/reported-position';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { DomainEvent } from '../../core/ports/surroundings';
import type { ConnectionSource } from '../../engines/postgresql/connection';
import { postgresEngine } from '../../engines/postgresql/engine';
import { identifier } from '../../engines/postgresql/identifier';
import { postgresWatches } from '../../engines/postgresql/watch/server-watch';
import { makeCluster } from '../../local/scenarios/node-recovery/first-cluster';
import { shopData } from '../../local/scenarios/node-recovery/shop-cluster';
import { startTestServer, type TestServer } from '../support/postgres';
import { SimulatedRegistry } from '../support/simulated-registry';

const password = 'the same on every server';
const source: ConnectionSource = {
  credentials: async () => ({ username: 'admin', password }),
  certificateAuthority: async () => null,
};
const shardCount = 6;

let servers: readonly TestServer[];
let nodes: readonly NodeItem[];
let engine: DatabaseEngine;
let registry: SimulatedRegistry;
let clusters: ClusterRegistry;
let settings: ClusterSettings;
let agents: NodeAgent[] = [];
let events: DomainEvent[] = [];
let log: JsonObject[] = [];

beforeEach(async () => {
  servers = await Promise.all(
    [1, 2, 3].map((number) => startTestServer({ cluster: 'shop', nodeId: `node-${number}` })),
  );
  for (const server of servers) {
    await query(
      server,
      `ALTER ROLE admin PASSWORD '${password}'; CREATE ROLE shop LOGIN PASSWORD '${password}'`,
      server.credentials.password,
    );
  }
  nodes = servers.map((server, index) => ({
    id: server.address.nodeId,
    site: `site-${index}`,
    machineKind: 'ec2',
    machineId: `i-${index}`,
    host: server.address.host,
    port: server.address.port,
    state: 'serving',
    builder: null,
    replacedAtMs: [],
  }));
  registry = new SimulatedRegistry();
  clusters = new ClusterRegistry(registry);
  engine = postgresEngine(source);
  settings = {
    ...clusterSettingsSchema.parse({
      layout: 'sharded',
      shardCount,
      database: 'postgres',
      secret: 'shop',
      tls: 'disabled',
      sites: {},
      nodes: {},
    }),
    name: 'shop',
  };
  const data = shopData({ rows: 600, shards: shardCount });
  await makeCluster(
    { registry, engine },
    {
      cluster: settings,
      nodes,
      shardCount,
      fill: (owner, shard) => data.fill({ source, owner, applicationRole: 'shop' }, shard),
    },
  );
  events = [];
  log = [];
  agents = nodes.map((node) => startAgent(node.id));
  await until(
    'every agent knows every peer',
    async () => log.filter((entry) => entry['verdict'] === 'alive').length === 6,
  );
});

afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  await Promise.all(servers.map((server) => server.stop()));
});

test('the followers of a killed node take its shards over, and everyone goes on alone where it followed', async () => {
  await server('node-3').kill();
  const killedAtMs = Date.now();
  const shards = await until('no shard needs node-3', async () => {
    const now = await clusters.shards('shop');
    return now.every((shard) => shard.primary !== 'node-3' && shard.follower !== 'node-3') ? now : null;
  });
  for (const shard of shards) {
    await until(`${shard.id} takes a write`, async () => {
      await write(shard);
      return true;
    });
  }
  expect(Date.now() - killedAtMs).toBeLessThan(30_000);
  expect(shards.filter((shard) => shard.state === 'single copy')).toHaveLength(4);
  expect(shards.filter((shard) => shard.fence?.kind === 'follower')).toHaveLength(2);
  await until('the event says what happened', async () =>
    events.some((event) => event.type === 'ShardsPromoted' && event.detail['nodeId'] === 'node-3'),
  );
});

test('an agent that dies beside a living database moves nothing', async () => {
  const before = await clusters.shards('shop');
  await agents[2]?.stop();
  // Long enough for five probes of every peer.
  await delay(1_500);
  expect(await clusters.shards('shop')).toEqual(before);
  expect(events).toEqual([]);
});

test('a node that comes back finds its shards elsewhere and refuses their writes', async () => {
  await agents[2]?.stop();
  await server('node-3').kill();
  const shards = await until('node-3 owns nothing', async () => {
    const now = await clusters.shards('shop');
    return now.every((shard) => shard.primary !== 'node-3') ? now : null;
  });
  await server('node-3').restart();
  agents.push(startAgent('node-3'));
  const lost = shards.filter((shard) => shard.fence !== null);
  expect(lost).not.toHaveLength(0);
  await until('node-3 is closed', async () =>
    (await engine.shards(address('node-3'))).every((shard) => !shard.writable),
  );
  for (const shard of lost) {
    await expect(write({ ...shard, primary: 'node-3' })).rejects.toMatchObject({ code: 'RJ001' });
  }
});

test('in an asynchronous cluster agents report positions, promote nobody, and say that a node is gone', async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  for (const node of nodes) {
    await engine.setSynchronousFollowers(address(node.id), []);
  }
  settings = { ...settings, durability: 'asynchronous' };
  agents = nodes.map((node) => startAgent(node.id));
  const first = await until('node-3 has reported', () => readReportedPosition(registry, 'shop', 'node-3'));
  const led = (await clusters.shards('shop')).filter((shard) => shard.primary === 'node-3');
  expect(Object.keys(first.confirmed).sort()).toEqual(led.map(followName).sort());
  for (const shard of led) {
    await write(shard);
  }
  const end = await engine.position(address('node-3'));
  await until('the report passes what was written', async () => {
    const now = await readReportedPosition(registry, 'shop', 'node-3');
    return now !== null && comparePositions(now.position, end) >= 0;
  });
  await server('node-3').kill();
  const before = await clusters.shards('shop');
  await until('it is announced', async () =>
    events.some((event) => event.type === 'NodeSilent' && event.detail['nodeId'] === 'node-3'),
  );
  expect(await clusters.shards('shop')).toEqual(before);
  const last = await readReportedPosition(registry, 'shop', 'node-3');
  await delay(2_500);
  // A dead server's log has no end that anybody could report.
  expect(await readReportedPosition(registry, 'shop', 'node-3')).toEqual(last);
});

function startAgent(nodeId: string): NodeAgent {
  const agent = new NodeAgent(
    {
      clock: systemClock,
      registry,
      databases: engine,
      watches: postgresWatches(source, systemClock),
      events: { publish: async (event) => void events.push(event) },
      metrics: { publish: async () => undefined, newest: async () => null },
      log: (entry) => void log.push(entry),
    },
    { cluster: settings, nodeId },
  );
  agent.start();
  return agent;
}

async function write(shard: Shard): Promise<void> {
  const text = `SELECT set_config('rejoin.epoch', '${shard.epoch}', true); UPDATE ${identifier(shard.id)}.customers SET balance = balance + 1`;
  await query(server(shard.primary), text, password, 'shop');
}

async function query(on: TestServer, text: string, secret: string, user = 'admin'): Promise<void> {
  const { host, port } = on.address;
  const client = new Client({
    host,
    port,
    user,
    password: secret,
    database: 'postgres',
    connectionTimeoutMillis: 1_000,
    options: '-c synchronous_commit=on',
    query_timeout: 2_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

function server(nodeId: string): TestServer {
  const found = servers.find((candidate) => candidate.address.nodeId === nodeId);
  if (found === undefined) {
    throw new Error(`no server ${nodeId}`);
  }
  return found;
}

function address(nodeId: string) {
  return server(nodeId).address;
}

/** Asks until the answer is neither null nor false, nor an error. */
async function until<T>(what: string, ask: () => Promise<T | null | false>): Promise<T> {
  let last = '';
  const endMs = Date.now() + 20_000;
  while (Date.now() < endMs) {
    await delay(20);
    try {
      const answer = await ask();
      if (answer !== null && answer !== false) {
        return answer;
      }
    } catch (thrown) {
      last = String(thrown);
    }
  }
  throw new Error(`not within 20 s: ${what} (${last}); the agents said ${JSON.stringify(log.slice(-20))}`);
}
