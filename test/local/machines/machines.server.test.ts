import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../adapters/system-clock';
import type { MachineObservation } from '../../../core/ports/machines';
import { LocalHostCommands } from '../../../local/machines/local-host-commands';
import { LocalMachines } from '../../../local/machines/local-machines';
import { LocalProber } from '../../../local/machines/local-prober';
import type { MachineFacts } from '../../../local/machines/templates';
import { eventually } from '../../contract/gaps';
import { ManualClock } from '../../support/manual-clock';
import { clientOf, openTestRoom, type TestRoom } from '../../support/machine-room';

/** Answers on its port with its node's name; says who it is in its log. */
const agentScript = `
  const [address, port, node] = process.argv.slice(1);
  require('net').createServer((socket) => socket.end(node)).listen(Number(port), address, () => console.log('agent of', node));
`;

let shared: TestRoom;
let machines: LocalMachines;
let hostCommands: LocalHostCommands;
let prober: LocalProber;
let launches = 0;

beforeAll(async () => {
  shared = await openTestRoom({
    agentPort: 7400,
    agent: (facts) => ({
      argv: [process.execPath, '-e', agentScript, facts.address, String(facts.privateAgentPort), facts.nodeId],
      environment: {},
    }),
    roles: [{ username: 'app', password: 'secret', kind: 'application' }],
  });
  machines = new LocalMachines(shared.room, { bootMs: 10, stopMs: 10, healthReportMs: 150 });
  hostCommands = new LocalHostCommands(shared.room, machines);
  prober = new LocalProber(shared.room, systemClock);
});

afterAll(async () => {
  await shared.close();
});

const launch = async (
  volumeSnapshot: string | null = null,
): Promise<{ readonly machineId: string; readonly facts: MachineFacts }> => {
  launches += 1;
  const { machineId } = await machines.launchReady({
    cluster: 'orders',
    nodeId: `orders-${launches}`,
    site: 'a',
    clientToken: `launch-${launches}`,
    launchTemplate: null,
    volumeSnapshot,
  });
  return { machineId, facts: shared.room.machine(machineId).facts };
};

const observed = (
  machineId: string,
  wanted: (seen: MachineObservation) => boolean,
): Promise<MachineObservation | null> =>
  eventually(
    () => machines.observe(machineId),
    (seen) => seen !== null && wanted(seen),
  );

const probe = (facts: MachineFacts, port: number): Promise<string> =>
  prober.probe({ fromSite: 'b', host: facts.address, port, timeoutMs: 200 });

type HostCommand = Parameters<LocalHostCommands['send']>[0]['command'];

/** Runs a host command to its end; how it ended, and what it said. */
async function runOn(
  machineId: string,
  command: HostCommand,
  parameters: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { commandId } = await hostCommands.send({ machineId, command, parameters });
  const result = await eventually(
    () => hostCommands.result(commandId, machineId),
    ({ state }) => state !== 'running',
  );
  return `${result.state}: ${result.output}`;
}

test('runs a server with the cluster’s roles and databases, and an agent beside it', async () => {
  const { facts } = await launch();
  const client = await clientOf(shared.template, facts);
  const roles = await client.query(`SELECT rolsuper FROM pg_roles WHERE rolname = 'app'`);
  await client.end();
  expect(roles.rows).toEqual([{ rolsuper: false }]);
  expect(await probe(facts, 5432)).toBe('open');
  await eventually(
    () => probe(facts, 7400),
    (answer) => answer === 'open',
  );
  await eventually(
    async () => readFileSync(join(facts.directory, 'agent.log'), 'utf8'),
    (log) => log.includes(`agent of ${facts.nodeId}`),
  );
});

test('a machine that was killed refuses connections, and its data may be gone', async () => {
  const { machineId, facts } = await launch();
  const client = await clientOf(shared.template, facts);
  await shared.room.machine(machineId).kill({ deleteData: true });
  await expect(client.query('SELECT 1')).rejects.toThrow();
  expect(await probe(facts, 5432)).toBe('refused');
  expect(await probe(facts, 7400)).toBe('refused');
  expect(existsSync(join(facts.directory, 'data'))).toBe(false);
});

test('a machine that was killed stays running in the API, and fails its health checks after a while', async () => {
  const clock = new ManualClock();
  const other = await openTestRoom({ clock });
  const api = new LocalMachines(other.room, { healthReportMs: 1_000, viewLagMs: 100 });
  const order = { cluster: 'orders', nodeId: 'orders-1', site: 'a', clientToken: 'one', launchTemplate: null };
  const { machineId } = await api.launchReady({ ...order, volumeSnapshot: null });
  const told = async (afterMs: number): Promise<MachineObservation | null> => {
    clock.advance(afterMs);
    return api.observe(machineId);
  };
  expect(await told(99)).toBeNull();
  expect(await told(1)).toMatchObject({ state: 'running', healthy: null });
  expect(await told(900)).toMatchObject({ state: 'running', healthy: true });
  await other.room.machine(machineId).kill({ deleteData: true });
  expect(await told(999)).toMatchObject({ state: 'running', healthy: true });
  expect(await told(1)).toMatchObject({ state: 'running', healthy: false });
  await other.close();
});

test('a stopped machine answers nobody, and comes back with its data', async () => {
  const { machineId, facts } = await launch();
  const before = await clientOf(shared.template, facts);
  await before.query('CREATE TABLE kept AS SELECT 7 AS id');
  await before.query('CHECKPOINT');
  await machines.stop(machineId);
  await observed(machineId, (seen) => seen.state === 'stopped');
  expect(await probe(facts, 5432)).toBe('timed out');
  await machines.switchOn(machineId);
  await observed(machineId, (seen) => seen.state === 'running');
  await machines.settled(machineId);
  const after = await clientOf(shared.template, facts);
  await expect(after.query('SELECT id FROM kept')).resolves.toMatchObject({ rows: [{ id: 7 }] });
  await after.end();
});

test('a killed agent leaves the server alone', async () => {
  const { machineId, facts } = await launch();
  await eventually(
    () => probe(facts, 7400),
    (answer) => answer === 'open',
  );
  await shared.room.machine(machineId).killAgent();
  await eventually(
    () => probe(facts, 7400),
    (answer) => answer === 'refused',
  );
  expect(await probe(facts, 5432)).toBe('open');
});

test('a paused machine accepts connections and says nothing; resumed, it goes on where it was', async () => {
  const { machineId, facts } = await launch();
  const client = await clientOf(shared.template, facts);
  await observed(machineId, (seen) => seen.healthy === true);
  shared.room.machine(machineId).pause();
  let answered = false;
  const answer = client.query('SELECT 1').finally(() => {
    answered = true;
  });
  expect(await probe(facts, 5432)).toBe('open');
  await observed(machineId, (seen) => seen.healthy === false);
  expect(answered).toBe(false);
  shared.room.machine(machineId).resume();
  await expect(answer).resolves.toMatchObject({ rowCount: 1 });
  await observed(machineId, (seen) => seen.healthy === true);
  await client.end();
});

test('a partition keeps replication connections of the server itself from getting through', async () => {
  const [primary, follower] = [await launch(), await launch()];
  const [on, at] = [await clientOf(shared.template, primary.facts), await clientOf(shared.template, follower.facts)];
  for (const client of [on, at]) {
    await client.query('CREATE TABLE t (id int PRIMARY KEY)');
  }
  await on.query('CREATE PUBLICATION p FOR TABLE t');
  const { administrator } = shared.template;
  await at.query(
    `CREATE SUBSCRIPTION s CONNECTION 'host=${primary.facts.address} port=5432 dbname=orders user=${administrator.username} password=${administrator.password}' PUBLICATION p`,
  );
  const rows = async (): Promise<number> =>
    Number((await at.query<{ n: string }>('SELECT count(*) AS n FROM t')).rows[0]?.n);
  await on.query('INSERT INTO t VALUES (1)');
  await eventually(rows, (count) => count === 1);

  // The follower alone is cut off from the primary; the client of this test is not.
  await shared.room.relay.setFlow(follower.machineId, primary.machineId, { state: 'partitioned' });
  await shared.room.relay.setFlow(primary.machineId, follower.machineId, { state: 'partitioned' });
  await on.query('INSERT INTO t VALUES (2)');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await rows()).toBe(1);
  await shared.room.relay.setFlow(follower.machineId, primary.machineId, null);
  await shared.room.relay.setFlow(primary.machineId, follower.machineId, null);
  await eventually(rows, (count) => count === 2);
  await at.query('DROP SUBSCRIPTION s');
  await Promise.all([on.end(), at.end()]);
});

test('a snapshot under load holds whole transactions', async () => {
  const { machineId, facts } = await launch();
  const client = await clientOf(shared.template, facts);
  await client.query('CREATE TABLE one (id int); CREATE TABLE two (id int)');
  const load = new AbortController();
  const writing = (async () => {
    for (let id = 0; !load.signal.aborted; id += 1) {
      await client.query(`BEGIN; INSERT INTO one VALUES (${id}); INSERT INTO two VALUES (${id}); COMMIT`);
    }
  })();
  const { snapshotId, nodeId } = await machines.snapshot(machineId);
  load.abort();
  await writing;
  await client.end();
  expect(nodeId).toBe(facts.nodeId);

  const restored = await launch(snapshotId);
  // As on EC2: the volume is attached, and the server that comes up is an empty one.
  const empty = await clientOf(shared.template, restored.facts);
  expect((await empty.query(`SELECT to_regclass('one') AS one`)).rows).toEqual([{ one: null }]);
  await empty.end();
  for (const order of ['stop-database', 'restore-volume', 'start-database'] as const) {
    expect(await runOn(restored.machineId, order, { snapshotId })).toContain('succeeded');
  }
  const copy = await clientOf(shared.template, restored.facts);
  const counts = await copy.query<{ one: number; two: number }>(
    'SELECT (SELECT count(*) FROM one)::int AS one, (SELECT count(*) FROM two)::int AS two',
  );
  expect(counts.rows[0]?.one).toBeGreaterThan(0);
  expect(counts.rows[0]?.one).toBe(counts.rows[0]?.two);
  await expect(copy.query('INSERT INTO one VALUES (0)')).rejects.toThrow('read-only transaction');
  await copy.end();
});

test('a host command restores the volume that was attached at launch, while the database is stopped, and only then', async () => {
  const origin = await launch();
  const client = await clientOf(shared.template, origin.facts);
  await client.query('CREATE TABLE before_snapshot (id int)');
  const { snapshotId } = await machines.snapshot(origin.machineId);
  await client.end();
  const { machineId, facts } = await launch(snapshotId);
  const run = (command: HostCommand, parameters = {}): Promise<string> => runOn(machineId, command, parameters);
  expect(await run('restore-volume', { snapshotId })).toContain('failed: the database');
  expect(await run('stop-database')).toContain('succeeded');
  expect(await probe(facts, 5432)).toBe('refused');
  expect(await run('restore-volume', { snapshotId: 'snap-none' })).toContain(
    `failed: there is no snapshot 'snap-none'`,
  );
  const { snapshotId: unattached } = await machines.snapshot(origin.machineId);
  expect(await run('restore-volume', { snapshotId: unattached })).toContain(
    `failed: there is no volume of ${unattached} on '${machineId}': the machine was launched with ${snapshotId}`,
  );
  expect(await run('restore-volume', { snapshotId })).toContain('succeeded');
  expect(await run('start-database')).toContain('succeeded');
  const again = await clientOf(shared.template, facts);
  const found = await again.query(
    `SELECT to_regclass('before_snapshot') IS NOT NULL AS present, pg_is_in_recovery() AS standby`,
  );
  await again.end();
  expect(found.rows).toEqual([{ present: true, standby: true }]);
});

test('a server that does not come up leaves a machine that is not healthy, and says why', async () => {
  const broken = await openTestRoom({ settings: { shared_buffers: 'many' } });
  const others = new LocalMachines(broken.room, { bootMs: 0, healthReportMs: 10 });
  const { machineId } = await others.launch({
    cluster: 'orders',
    nodeId: 'orders-1',
    site: 'a',
    clientToken: 'broken',
    launchTemplate: null,
    volumeSnapshot: null,
  });
  await expect(others.settled(machineId)).rejects.toThrow('shared_buffers');
  await eventually(
    () => others.observe(machineId),
    (seen) => seen?.state === 'running' && seen.healthy === false,
  );
  await broken.close();
});

test('files that a run kept are there until the next one in its directory', async () => {
  const kept = await openTestRoom({});
  const order = {
    cluster: 'orders',
    nodeId: 'orders-1',
    site: 'a',
    clientToken: 'the same',
    launchTemplate: null,
    volumeSnapshot: null,
  };
  const first = await new LocalMachines(kept.room).launchReady(order);
  const { directory } = kept.room.machine(first.machineId).facts;
  await kept.room.close({ keepFiles: true });
  expect(existsSync(join(directory, 'server.log'))).toBe(true);

  const next = await openTestRoom({ stateDirectory: kept.stateDirectory });
  const second = await new LocalMachines(next.room).launchReady(order);
  const client = await clientOf(next.template, next.room.machine(second.machineId).facts);
  await client.end();
  expect(existsSync(directory)).toBe(false);
  await next.close();
  expect(existsSync(next.room.directory)).toBe(false);
});
