import { changesFolder } from '../../../core/backup/object-keys';
import type { JsonObject } from '../../../core/json';
import { BackupWorld } from '../../support/backup-world';
import { Death } from '../../support/mortal-calls';
import { cluster } from '../../support/simulated-cluster';

/** Of 8 shards, this one alone belongs to node-3 (its primary) and node-4. */
const lostShard = 'shard_0002';
const accepted = { acceptLossSeconds: 600 };

/** A backup, changes that were captured, changes that were not; then both owners of a shard die. */
async function bothDead(): Promise<BackupWorld> {
  const world = await BackupWorld.open({ shards: 8 });
  await world.run('full-backup', 'b1');
  await writeAll(world, 'captured');
  await world.run('change-backup', 'm1');
  await writeAll(world, 'not captured');
  for (const nodeId of ['node-3', 'node-4']) {
    await world.cluster.fail(nodeId);
  }
  for (const nodeId of ['node-3', 'node-4']) {
    await world.cluster.agentsTakeOver(nodeId);
  }
  return world;
}

async function writeAll(world: BackupWorld, value: string): Promise<void> {
  for (let key = 0; key < 40; key += 1) {
    await world.cluster.write(`key-${key}`, value);
  }
}

async function recover(world: BackupWorld, more: JsonObject, nodeId = 'node-3') {
  const result = await world.run('node-recovery', 'recovery-1', { cluster, nodeId, trigger: 'manual', ...more });
  const { history = [] } = world.executions.get('node-recovery/recovery-1') ?? {};
  return { ...result, states: history.flatMap((event) => event.stateEnteredEventDetails?.name ?? []) };
}

/** What the registry's owners have of a shard's keys that the clients were told. */
async function valuesOf(world: BackupWorld, id: string): Promise<readonly (string | undefined)[]> {
  const { primary } = await world.cluster.registry.shard(cluster, id);
  const { host } = await world.cluster.address(primary);
  const rows = world.cluster.servers.at(world.cluster.dns.resolve(host))?.shards.get(id)?.rows;
  return [...(rows?.values() ?? [])].map(({ value }) => value);
}

test('a shard that lost both owners is refused with what a backup would lose, then comes from the backup', async () => {
  const world = await bothDead();
  const refused = await recover(world, {});
  expect(refused.error).toBe('refused');
  expect(refused.cause).toMatch(
    /^both owners of shard_0002 are silent: a backup would lose up to \d+ s; start again with acceptLossSeconds$/,
  );
  const recovered = await world.run('node-recovery', 'recovery-2', {
    cluster,
    nodeId: 'node-3',
    trigger: 'manual',
    ...accepted,
  });
  expect(recovered.cause).toBeNull();
  expect((recovered.output as { reason: string }).reason).toMatch(
    /^node-3-r1 has taken the place of node-3: .*; shard_0002 came from a backup, and up to \d+ s of acknowledged writes are lost$/,
  );
  expect(await world.cluster.registry.shard(cluster, lostShard)).toMatchObject({
    primary: 'node-3-r1',
    follower: null,
    state: 'single copy',
    epoch: 2,
    lostOwner: 'node-4',
    fence: { kind: 'machine' },
  });
  const values = await valuesOf(world, lostShard);
  expect(values.length).toBeGreaterThan(2);
  expect(new Set(values)).toEqual(new Set(['captured']));
  // Nothing is lost of any other shard.
  expect((await world.cluster.missing()).filter((place) => !place.startsWith(lostShard))).toEqual([]);
  expect(world.cluster.writers()).toEqual([]);
  expect(await world.cluster.write('key-2', 'after')).toBe('acknowledged');
});

test('the evidence says what was lost, in seconds and with the last captured position', async () => {
  const world = await bothDead();
  await recover(world, accepted);
  const body = await world.cluster.evidence.read(`${cluster}/node-recovery/recovery-1.json`);
  const evidence = JSON.parse(body.toString()) as {
    recoveryPointSeconds: number;
    figures: { name: string; value: number; unit: string }[];
    decisions: { reason: string }[];
    checks: { name: string; ok: boolean }[];
  };
  expect(evidence.recoveryPointSeconds).toBeGreaterThanOrEqual(61);
  expect(evidence.figures).toContainEqual({
    name: 'acknowledged writes of shard_0002 that are lost at most',
    value: evidence.recoveryPointSeconds,
    unit: 'seconds',
  });
  expect(evidence.decisions.map(({ reason }) => reason)).toContainEqual(
    expect.stringMatching(
      /^node-3-r1 has shard_0002 from a backup and its changes up to [0-9A-F]+\/[0-9A-F]+ of node-3's log/,
    ),
  );
  expect(evidence.checks.filter(({ ok }) => !ok)).toEqual([]);
});

test('where the other owner is the primary, it is proved stopped before anything is launched', async () => {
  const world = await bothDead();
  const { states, output } = await recover(world, accepted, 'node-4');
  expect((output as { outcome: string }).outcome).toBe('recovered');
  expect(states.indexOf('Another primary is stopped')).toBeGreaterThan(0);
  expect(states.indexOf('Another primary is stopped')).toBeLessThan(states.indexOf('Launch the replacement'));
  expect(await world.cluster.registry.shard(cluster, lostShard)).toMatchObject({
    primary: 'node-4-r1',
    lostOwner: 'node-3',
  });
  const again = await world.run('node-recovery', 'recovery-2', { cluster, nodeId: 'node-3', trigger: 'manual' });
  expect((again.output as { outcome: string }).outcome).toBe('recovered');
  expect(await world.cluster.registry.shard(cluster, lostShard)).toMatchObject({
    follower: 'node-3-r1',
    state: 'in sync',
  });
  expect(await world.cluster.missing()).toEqual(expect.not.arrayContaining([expect.stringContaining('shard_0001')]));
});

test('a primary that can not be proved stopped keeps its shard from being opened elsewhere', async () => {
  const world = await bothDead();
  world.cluster.machines.hang((await world.cluster.registry.node(cluster, 'node-3')).machineId);
  const { error, cause, states } = await recover(world, accepted, 'node-4');
  expect([error, cause?.includes('the machine API does not say stopped')]).toEqual(['needs an operator', true]);
  expect(states).not.toContain('Launch the replacement');
  expect(await world.cluster.registry.shard(cluster, lostShard)).toMatchObject({ primary: 'node-3', epoch: 1 });
});

test('segments that are missing would lose more than was accepted: nothing is opened, the replacement goes', async () => {
  const world = await bothDead();
  for await (const { key } of world.cluster.backups.list(changesFolder(cluster))) {
    if (key.includes(lostShard)) {
      await world.cluster.backups.remove([key]);
    }
  }
  const { error, cause } = await recover(world, accepted);
  expect([error, cause?.includes('more than')]).toEqual(['needs an operator', true]);
  expect(await world.cluster.registry.shard(cluster, lostShard)).toMatchObject({ primary: 'node-3', epoch: 1 });
  expect((await world.cluster.registry.node(cluster, 'node-3-r1')).state).toBe('retired');
});

test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])(
  'killed after call %i while a shard is opened from its backup, the step is called again and ends the same',
  async (call) => {
    const world = await bothDead();
    world.onStep = async (state) => {
      if (state === 'Open a shard from its backup' && world.death === null) {
        world.death = new Death(call, 'after');
      }
    };
    const { output } = await recover(world, accepted);
    expect((output as { outcome: string } | null)?.outcome).toBe('recovered');
    expect(await world.cluster.registry.shard(cluster, lostShard)).toMatchObject({ primary: 'node-3-r1', epoch: 2 });
    expect(world.cluster.writers()).toEqual([]);
  },
);
