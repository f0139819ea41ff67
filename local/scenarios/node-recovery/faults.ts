import { setTimeout as delay } from 'node:timers/promises';
import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import { manifestSchema, chunkSchema } from '../../../core/cluster/manifest';
import { RejoinError } from '../../../core/errors';
import { identifier, literal } from '../../../engines/postgresql/identifier';
import { anyMember } from '../../relay/flow';
import { bothOwners } from './both-owners-fault';
import { ask, type CheckedServer } from './content';
import { checkedServer, kill, startByHand, untilTrue, untilVisited, type NodeFault } from './fault';
import { executionsSince, nextExecution, taskStates } from '../deployed';
import { managedFaults } from './managed-faults';
import { replicatedFaults } from './replicated-faults';
import { planned } from './planned-fault';
import { clusterName } from './world';

const falseAlarm: NodeFault = {
  name: 'false-alarm',
  layouts: ['sharded', 'replicated'],
  machines: 'ec2',
  summary: 'somebody starts a recovery of a node that answers: nothing is done, and the reason says so',
  expectedOutcome: 'no action needed',
  whole: true,
  begin: async (context) => {
    context.say(`ends the agent of ${context.victim.id} and starts a recovery of it`);
    await context.world.room.machine(context.victim.machineId).killAgent();
    await startByHand(context);
  },
};

const oneWitness: NodeFault = {
  name: 'one-witness',
  layouts: ['sharded', 'replicated'],
  machines: 'ec2',
  summary: 'one agent alone calls a node failed that nobody else can judge: refused',
  expectedOutcome: 'refused',
  expectedReason: /^only agent node-\d+ calls node-\d+ failed/,
  whole: false,
  begin: async (context) => {
    const { world, victim, say } = context;
    const witness = world.nodes.find((node) => node.id !== victim.id && node.site !== victim.site)?.id ?? '';
    say(`ends every agent but that of ${witness}, and cuts ${victim.id} off the network`);
    await Promise.all(
      world.nodes.filter((node) => node.id !== witness).map((node) => world.room.machine(node.machineId).killAgent()),
    );
    await world.room.machine(victim.machineId).setIsolated('scenario', true);
    // Opinions that were written before may be no vote any more when somebody asks.
    await delay(opinionsExpireMs);
    await untilTrue(`${witness} calls ${victim.id} failed`, async () => {
      const opinions = await world.cloud.registry.list(`CLUSTER#${clusterName}`, `OPINION#${witness}#${victim.id}`);
      return opinions.some((item) => item.value['verdict'] === 'failed');
    });
    // Said before the heartbeat's alarm, which would be a second witness.
    say(`${witness} announces that ${victim.id} is silent`);
    await world.cloud.events.publish({
      type: 'NodeSilent',
      cluster: clusterName,
      detail: { nodeId: victim.id, by: witness, reason: 'no answer', suspectedAtMs: null, promoted: [] },
    });
  },
  after: async ({ world, victim }) => {
    await world.room.machine(victim.machineId).setIsolated('scenario', false);
  },
};
const opinionsExpireMs = 10_500;

const secondNode: NodeFault = {
  name: 'second-node',
  summary: 'a second node dies while rows are restored from it: undone, and promotions stay',
  expectedOutcome: 'undone',
  whole: false,
  begin: kill,
  during: async ({ world, victim, say }) => {
    await untilVisited(world, 'Open the change slots');
    const second = world.nodes[(world.nodes.indexOf(victim) + 1) % world.nodes.length];
    say(`kills ${second?.id ?? ''} as well`);
    await world.room.machine(second?.machineId ?? '').kill({ deleteData: false });
  },
};

const replacementDies: NodeFault = {
  name: 'replacement-dies',
  summary: 'the replacement dies while its rows are restored: undone, nothing is left of it',
  expectedOutcome: 'undone',
  whole: false,
  begin: kill,
  during: async ({ world, say }) => {
    await untilVisited(world, 'Build keys and indexes');
    const replacement = (await new ClusterRegistry(world.cloud.registry).nodes(clusterName)).find(
      (node) => node.state === 'building',
    );
    say(`kills the replacement ${replacement?.id ?? ''}`);
    await world.room.machine(replacement?.machineId ?? '').kill({ deleteData: true });
  },
  after: async ({ world, check }) => {
    const nodes = await new ClusterRegistry(world.cloud.registry).nodes(clusterName);
    const left = nodes.filter((node) => node.state === 'building').length;
    check({ name: 'replacements left behind', ok: left === 0, expected: '0', got: String(left) });
  },
};

const stepKilled: NodeFault = {
  name: 'step-killed',
  layouts: ['sharded', 'replicated'],
  summary: "in every state the step's process is killed once: before, during or after its effect, by the seed",
  expectedOutcome: 'recovered',
  whole: true,
  begin: async (context) => {
    const moments = [
      { at: 'start' },
      { at: 'effect', number: 1, moment: 'before' },
      { at: 'effect', number: 1, moment: 'after' },
      { at: 'return' },
    ] as const;
    const states = taskStates(context.world.cloud, 'node-recovery');
    states.forEach((state, index) => {
      context.world.cloud.functions.killOrders.killNext(
        { state },
        moments[(index + context.seed) % moments.length] ?? moments[0],
      );
    });
    context.say(`will kill one process in each of ${states.length} states`);
    await kill(context);
  },
  after: async ({ world, check }) => {
    const recoveries = executionsSince(world.cloud, 'node-recovery', 0);
    const visits = await Promise.all(
      recoveries.map(({ name }) => world.cloud.executions.visits('node-recovery', name)),
    );
    const entered = new Set(visits.flat().map((visit) => visit.state));
    const states = taskStates(world.cloud, 'node-recovery').filter((state) => entered.has(state));
    const spared = world.cloud.functions.killOrders.waiting.flatMap(({ state = '' }) =>
      entered.has(state) ? [state] : [],
    );
    check({
      name: 'states entered whose step was killed',
      ok: spared.length === 0 && states.length > 0,
      expected: String(states.length),
      got: spared.length === 0 ? String(states.length) : `all but ${spared.join(', ')}`,
    });
  },
};

const twoAlarms: NodeFault = {
  name: 'two-alarms',
  layouts: ['sharded', 'replicated'],
  summary: 'every event is delivered twice, and a person starts it as well: one recovery',
  expectedOutcome: 'recovered',
  whole: true,
  begin: async (context) => {
    context.world.cloud.events.repeatNext(20);
    await kill(context);
  },
  during: async (context) => {
    await startByHand(context);
  },
  after: async ({ world, check }) => {
    const { executions } = world.cloud;
    const names = executionsSince(world.cloud, 'node-recovery', 0).map((execution) => execution.name);
    const records = await Promise.all(names.map((name) => executions.visits('node-recovery', name)));
    const launched = records.filter((visits) =>
      visits.some((visit) => visit.state === 'Launch the replacement'),
    ).length;
    check({
      name: 'executions that launched a replacement',
      ok: launched === 1,
      expected: '1',
      got: `${launched} of ${names.length}`,
    });
  },
};

const again: NodeFault = {
  name: 'again',
  layouts: ['sharded', 'replicated'],
  summary: 'the replacement fails soon after: a second automatic replacement is refused',
  expectedOutcome: 'recovered',
  whole: false,
  begin: kill,
  after: async ({ world, say, check }) => {
    const replacement = (await new ClusterRegistry(world.cloud.registry).nodes(clusterName)).find(
      (node) => node.state === 'serving' && !world.nodes.some((first) => first.id === node.id),
    );
    say(`kills ${replacement?.id ?? 'nobody'}`);
    const killedAtMs = Date.now();
    await world.room.machine(replacement?.machineId ?? '').kill({ deleteData: true });
    const second = await nextExecution(world.cloud, 'node-recovery', killedAtMs);
    const { error, cause } = await second.finished;
    const reason = `${error ?? ''}: ${cause ?? ''}`;
    check({
      name: 'the second recovery is refused',
      ok: /was replaced \d+ min ago/.test(reason),
      expected: '… was replaced … min ago …',
      got: reason,
    });
  },
};

const corruptChunk: NodeFault = {
  name: 'corrupt-chunk',
  summary: 'a byte of a chunk of the backup is wrong: found by its checksum, its rows read from the other owner',
  expectedOutcome: 'recovered',
  expectedFigures: { 'damaged chunks read from the other owner': 1 },
  whole: true,
  begin: async (context) => {
    const { world, victim, say } = context;
    const backups = world.cloud.bucket('REJOIN_BACKUPS_BUCKET');
    const mine = (await new ClusterRegistry(world.cloud.registry).shards(clusterName)).filter(
      (shard) => shard.primary === victim.id,
    );
    const [backup] = await new ClusterRegistry(world.cloud.registry).backups(clusterName);
    const manifest = manifestSchema.parse(JSON.parse((await backups.read(backup?.manifestKey ?? '')).toString()));
    const part = manifest.shards.find((shard) => shard.shard === mine[0]?.id);
    const chunks = chunkSchema.array().parse(JSON.parse((await backups.read(part?.chunksKey ?? '')).toString()));
    const key = chunks.find((chunk) => chunk.rows > 0)?.key ?? '';
    const body = Buffer.from(await backups.read(key));
    body.writeUInt8(body.readUInt8(body.length >> 1) ^ 0xff, body.length >> 1);
    await backups.write(key, body);
    say(`damages ${key}`);
    await kill(context);
  },
};

const slotLost: NodeFault = {
  name: 'slot-lost',
  summary: 'a change slot disappears from a survivor between two passes: that shard starts again',
  expectedOutcome: 'recovered',
  whole: true,
  begin: kill,
  during: async ({ world, victim, say, check }) => {
    await untilVisited(world, 'Load the backup rows');
    const shards = await new ClusterRegistry(world.cloud.registry).shards(clusterName);
    const shard = shards.find((candidate) => candidate.lostOwner === victim.id);
    const survivor = world.nodes.find((node) => node.id === shard?.primary);
    if (shard === undefined || survivor === undefined) {
      throw new RejoinError('NotFound', `no shard has lost ${victim.id}`);
    }
    const server = checkedServer(world, survivor);
    const name = `s${shard.id.slice(-4)}e${shard.epoch}`;
    await untilTrue('the slot could be dropped', async () => {
      const dropped = await ask(
        server,
        `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${literal(name)} AND NOT active`,
      );
      return dropped.length === 1;
    });
    say(`drops slot ${name} on ${survivor.id}`);
    check({ name: 'a slot was taken away', ok: true, expected: name, got: name });
  },
};

const writeStorm: NodeFault = {
  name: 'write-storm',
  summary: 'changes come faster than they can be applied: it stops with both rates instead of going on for ever',
  expectedOutcome: 'undone',
  expectedReason: /gains [\d,]+ (rows|bytes)\/s, applies [\d,]+/,
  whole: false,
  begin: kill,
  during: async ({ world, victim, say, check }) => {
    await untilVisited(world, 'Build keys and indexes');
    const registry = new ClusterRegistry(world.cloud.registry);
    const [nodes, shards] = await Promise.all([registry.nodes(clusterName), registry.shards(clusterName)]);
    const replacement = nodes.find((node) => node.state === 'building');
    await world.room.relay.setFlow(anyMember, replacement?.machineId ?? '', { bytesPerSecond: stormWayBytesPerSecond });
    const lost = shards.filter((shard) => shard.lostOwner === victim.id);
    say(
      `writes ${stormBytesPerSecond} bytes a second to each of ${lost.length} shards, through a way for ${stormWayBytesPerSecond}`,
    );
    const recoveries = executionsSince(world.cloud, 'node-recovery', 0);
    const written = await Promise.all(
      lost.map((shard) => {
        const primary = nodes.find((node) => node.id === shard.primary);
        return primary === undefined
          ? Promise.resolve(0)
          : storm({ ...checkedServer(world, primary), administrator: world.application }, shard.id, () =>
              recoveries.some(({ status }) => status === 'RUNNING'),
            );
      }),
    );
    const rows = written.reduce((sum, part) => sum + part, 0);
    check({ name: 'rows that the storm wrote', ok: rows > 0, expected: 'some', got: String(rows) });
  },
};
/** Half as much again as gets through: each pass finds half as much again as the one before. */
const stormBytesPerSecond = 90_000;
const stormWayBytesPerSecond = 60_000;
const stormRowBytes = 1_024;
const stormEveryMs = 500;
/** Above every id that the load makes. */
const firstStormId = 1_000_000_000_000;

/** Inserts rows at an even pace. @returns how many were acknowledged */
async function storm(server: CheckedServer, shard: string, goesOn: () => boolean): Promise<number> {
  const rowsAtOnce = Math.round((stormBytesPerSecond / stormRowBytes) * (stormEveryMs / 1_000));
  let written = 0;
  for (let turn = 0; goesOn(); turn += 1) {
    const begunAtMs = Date.now();
    const first = firstStormId + turn * rowsAtOnce;
    await ask(
      server,
      `INSERT INTO ${identifier(shard)}.orders (id, customer_id, total, version, note)
       SELECT id, (SELECT min(id) FROM ${identifier(shard)}.customers), 1, 1,
              (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, ${stormRowBytes / 32}))
         FROM generate_series(${first}, ${first + rowsAtOnce - 1}) AS id`,
    );
    written += rowsAtOnce;
    await delay(Math.max(0, begunAtMs + stormEveryMs - Date.now()));
  }
  return written;
}

const zombie: NodeFault = {
  name: 'zombie',
  layouts: ['sharded', 'replicated'],
  summary: 'the old machine is switched on again after the fence, with its data: its writes are refused',
  expectedOutcome: 'recovered',
  whole: true,
  begin: async ({ world, victim, say }) => {
    say(`kills ${victim.id}; its data stays`);
    await world.room.machine(victim.machineId).kill({ deleteData: false });
  },
  during: async ({ world, victim, say, check }) => {
    await untilVisited(world, 'Launch the replacement');
    say(`switches ${victim.id} on again`);
    await world.switchOn(victim);
    const server = { ...checkedServer(world, victim), administrator: world.application };
    const shards = await new ClusterRegistry(world.cloud.registry).shards(clusterName);
    const lost = shards.filter((shard) => shard.lostOwner === victim.id && shard.fence !== null);
    const answers = await Promise.all(lost.map((shard) => tryWrite(server, world.data.harmlessWrite(shard.id))));
    const accepted = answers.filter((answer) => answer === 'acknowledged').length;
    check({
      name: 'writes that the old node acknowledged',
      ok: accepted === 0 && lost.length > 0,
      expected: `0 of ${lost.length}`,
      got: `${accepted} of ${lost.length} (${[...new Set(answers)].join('; ')})`,
    });
  },
};

/** The first is the default. */
export const faults: readonly NodeFault[] = [
  {
    name: 'kill',
    layouts: ['sharded', 'replicated'],
    summary: 'every process of a node is killed and its data deleted',
    expectedOutcome: 'recovered',
    whole: true,
    begin: kill,
  },
  falseAlarm,
  oneWitness,
  secondNode,
  replacementDies,
  stepKilled,
  twoAlarms,
  again,
  corruptChunk,
  slotLost,
  writeStorm,
  zombie,
  planned,
  bothOwners,
  ...managedFaults,
  ...replicatedFaults,
];

/** What an application gets that still writes to the old node: acknowledged, refused, or no answer. */
async function tryWrite(server: CheckedServer, write: string): Promise<string> {
  const answer = ask(server, write).then(
    () => 'acknowledged',
    (thrown: unknown) => `refused: ${String((thrown as { readonly code?: unknown }).code)}`,
  );
  return Promise.race([answer, delay(3_000, 'no answer')]);
}
