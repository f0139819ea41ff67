import fc from 'fast-check';
import { lz4 } from '../../../adapters/codec';
import { captureSlot, type CapturePorts, type CaptureResult } from '../../../core/backup/capture-slot';
import { lineageFolder } from '../../../core/backup/object-keys';
import { ClusterRegistry } from '../../../core/cluster/cluster-registry';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { replaySegments } from '../../../core/restore/replay';
import { ManualClock } from '../../support/manual-clock';
import { Death, Killed, mortal } from '../../support/mortal-calls';
import { SimulatedDatabases } from '../../support/simulated-databases';
import { SimulatedObjects } from '../../support/simulated-objects';
import { SimulatedRegistry } from '../../support/simulated-registry';
import { SimulatedServers, type SimulatedServer } from '../../support/simulated-server';

const slot = 'c0003e12b3fa9c1';
const lineage = { shard: 'shard_0003', epoch: 12 };
const address = (nodeId: string): DatabaseAddress => ({
  cluster: 'orders',
  nodeId,
  host: nodeId,
  port: 5432,
  database: 'app',
});
/** Four changes at a time, as the simulated engine counts. */
const limits = { maxBytes: 1_024, maxSegments: 100, mayGoOn: () => true };

interface World {
  readonly ports: CapturePorts;
  readonly primary: SimulatedServer;
  readonly objects: SimulatedObjects;
  readonly databases: SimulatedDatabases;
  readonly clusters: ClusterRegistry;
  write(key: string, value: string | null): void;
  capture(ports?: CapturePorts): Promise<CaptureResult>;
  /** What an empty node has after all stored segments were replayed. */
  replayed(): Promise<Record<string, string>>;
}

async function makeWorld(): Promise<World> {
  const clock = new ManualClock();
  const servers = new SimulatedServers();
  const primary = servers.start('node-1');
  const target = servers.start('node-9');
  const shard = { schemas: [lineage.shard], epoch: lineage.epoch, writable: true };
  primary.shards.set(lineage.shard, { ...shard, rows: new Map() });
  target.shards.set(lineage.shard, { ...shard, rows: new Map() });
  const databases = new SimulatedDatabases(servers, (host) => host);
  const objects = new SimulatedObjects('backups', clock);
  const clusters = new ClusterRegistry(new SimulatedRegistry());
  const openedAt = await databases.openSlot(address('node-1'), { slot, shard: lineage.shard });
  await clusters.add('orders', {
    kind: 'SLOT',
    value: { name: slot, ...lineage, nodeId: 'node-1', openedAt, capturedTo: openedAt },
  });
  const ports: CapturePorts = { clock, registry: clusters, backups: objects, databases, codec: lz4 };
  return {
    ports,
    primary,
    objects,
    databases,
    clusters,
    write: (key, value) => {
      primary.put(lineage.shard, key, value);
    },
    capture: (given = ports) => captureSlot(given, 'orders', address('node-1'), slot, limits),
    replayed: async () => {
      const order = {
        cluster: 'orders',
        shard: lineage.shard,
        lineage: { slot, epoch: lineage.epoch, primary: 'node-1', changesFrom: openedAt },
      };
      const { done, stoppedBy } = await replaySegments(
        { backups: objects, databases, codec: lz4 },
        address('node-9'),
        order,
        () => true,
      );
      expect({ done, stoppedBy }).toEqual({ done: true, stoppedBy: null });
      return contentOf(target);
    },
  };
}

function contentOf(server: SimulatedServer): Record<string, string> {
  const rows = [...(server.shards.get(lineage.shard)?.rows ?? [])].sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(rows.map(([key, { value }]) => [key, value]));
}

test('stores what the slot has, advances it, and records how far it got', async () => {
  const world = await makeWorld();
  for (let id = 0; id < 10; id += 1) {
    world.write(`k${id}`, 'v');
  }
  const result = await world.capture();
  expect(result).toMatchObject({ state: 'captured', segments: 3, rows: 10, drained: true });
  expect(await world.clusters.slot('orders', slot)).toMatchObject({ capturedTo: world.primary.position() });
  expect(await world.replayed()).toEqual(contentOf(world.primary));
  expect(await world.capture()).toMatchObject({ state: 'captured', segments: 0, rows: 0 });
});

test('a slot that was lost is never gone on with', async () => {
  const world = await makeWorld();
  const there = world.primary.slots.get(slot);
  if (there !== undefined) {
    there.lost = true;
  }
  expect(await world.capture()).toMatchObject({
    state: 'lost',
    reason: expect.stringContaining('the server has removed log that it needed') as unknown,
  });
});

test('a slot that somebody else advanced is as good as lost', async () => {
  const world = await makeWorld();
  world.write('k', 'v');
  world.primary.advance(slot, world.primary.log);
  expect(await world.capture()).toMatchObject({
    state: 'lost',
    reason: expect.stringContaining('somebody else reads it') as unknown,
  });
});

test('a lineage that was ended on purpose is no loss', async () => {
  const world = await makeWorld();
  const item = await world.clusters.slot('orders', slot);
  if (item !== null) {
    await world.clusters.remove('orders', { kind: 'SLOT', value: item });
  }
  await world.databases.dropSlot(address('node-1'), slot);
  expect(await world.capture()).toMatchObject({ state: 'ended' });
});

test('a slot that a crash set back is captured on, with segments that overlap', async () => {
  const world = await makeWorld();
  const there = world.primary.slots.get(slot);
  const before = { confirmed: there?.confirmed ?? 0n, changes: [] as NonNullable<typeof there>['changes'] };
  for (let id = 0; id < 6; id += 1) {
    world.write(`k${id}`, 'v');
  }
  before.changes.push(...(there?.changes ?? []));
  await world.capture();
  Object.assign(there ?? {}, before);
  world.write('k0', null);
  expect(await world.capture()).toMatchObject({ state: 'captured', drained: true });
  expect(await world.replayed()).toEqual(contentOf(world.primary));
});

test('an idle shard does not hold back its node for ever', async () => {
  const world = await makeWorld();
  world.primary.log += 20_000_000n;
  expect(await world.capture()).toMatchObject({ state: 'captured', segments: 1, rows: 0 });
  expect((await world.databases.slot(address('node-1'), slot)).lagBytes).toBeLessThan(1_000);
  world.write('k', 'v');
  await world.capture();
  expect(await world.replayed()).toEqual({ k: 'v' });
});

test('an object that was damaged before its slot was advanced is written again', async () => {
  const world = await makeWorld();
  world.write('k', 'v');
  const databases = mortal(world.databases, new Death(0, 'before', 'advance'));
  await expect(world.capture({ ...world.ports, databases })).rejects.toThrow(Killed);
  for await (const { key } of world.objects.list(lineageFolder('orders', lineage))) {
    await world.objects.write(key, Buffer.from('half'));
  }
  await world.capture();
  expect(await world.replayed()).toEqual({ k: 'v' });
});

const writes = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.option(fc.constantFrom('1', '2', '3'))), {
  minLength: 1,
  maxLength: 14,
});

test('wherever it is killed, a repetition loses nothing and repeats nothing that matters', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ writes, atCall: fc.nat(20), moment: fc.constantFrom('before' as const, 'after' as const) }),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
      async (rounds) => {
        const world = await makeWorld();
        for (const round of rounds) {
          for (const [key, value] of round.writes) {
            world.write(key, value);
          }
          const death = new Death(round.atCall, round.moment);
          const ports: CapturePorts = {
            clock: new ManualClock(),
            registry: mortal(world.clusters, death),
            backups: mortal(world.objects, death),
            databases: mortal(world.databases, death),
            codec: lz4,
          };
          const thrown: unknown = await world.capture(ports).catch((error: unknown) => error);
          expect(thrown instanceof Error && !(thrown instanceof Killed)).toBe(false);
        }
        expect(await world.capture()).toMatchObject({ state: 'captured', drained: true });
        expect(await world.replayed()).toEqual(contentOf(world.primary));
      },
    ),
    { numRuns: 300 },
  );
});
