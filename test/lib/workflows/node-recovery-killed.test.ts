import type { Kill } from '../../support/killable-ports';
import { cluster, SimulatedCluster } from '../../support/simulated-cluster';

const kinds = ['dead', 'planned', 'replicated'] as const;
type Kind = (typeof kinds)[number];

/** A recovery in which one call of a step's port is the last thing that the step does; the state calls the step again. */
async function recoverWith(kind: Kind, kills: readonly Kill[]): Promise<SimulatedCluster> {
  const world = await SimulatedCluster.open({ shards: 4, layout: kind === 'replicated' ? 'replicated' : 'sharded' });
  // The primary, where there is one: a standby is promoted, and as there is no snapshot, another one is copied.
  const victim = kind === 'replicated' ? 'node-1' : 'node-3';
  if (kind === 'replicated') {
    // What bounds the loss where nobody confirms commits.
    await world.reportPosition(victim);
  }
  if (kind !== 'planned') {
    await world.fail(victim);
  }
  world.mortality.kills.push(...kills);
  let number = 0;
  world.onStep = async () => {
    number += 1;
    await world.write(`key-${number % 20}`, number % 9 === 0 ? null : `value-${number}`);
  };
  const input = kind === 'planned' ? { planned: true, trigger: 'manual' } : {};
  await world.recover({ nodeId: victim, ...input }).finished;
  return world;
}

/** Everything that must be the same however the run went, in words; empty when it is. */
async function differences(world: SimulatedCluster): Promise<readonly string[]> {
  const shards = await world.registry.shards(cluster);
  const result = await world.executions.get('recovery-1')?.finished;
  return [
    ...(result?.status === 'SUCCEEDED' ? [] : [`${result?.error ?? ''}: ${result?.cause ?? ''}`]),
    ...shards.filter((shard) => shard.state !== 'in sync').map((shard) => `${shard.id} is ${shard.state}`),
    ...(await world.missing()).map((what) => `missing: ${what}`),
    ...world.writers().map((shard) => `two writers of ${shard}`),
    ...(await world.leftovers()),
  ];
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

describe.each(kinds)('a step that is killed while a %s node is replaced', (kind) => {
  let places: readonly Omit<Kill, 'when'>[] = [];

  beforeAll(async () => {
    const world = await recoverWith(kind, []);
    expect(await differences(world)).toEqual([]);
    places = [...world.mortality.counts].flatMap(([name, calls]) => {
      const [port = '', method = ''] = name.split('.');
      return Array.from({ length: calls }, (_each, index) => ({ port, method, call: index + 1 }));
    });
  });

  it('could be killed at many places', () => {
    expect(places.length).toBeGreaterThan(150);
  });

  // REJOIN_KILLS=all tries every place; a number tries so many of them.
  const asked = process.env['REJOIN_KILLS'] ?? '20';
  it(`ends the same, with nothing left over (${asked} places)`, async () => {
    const next = random(Number(process.env['REJOIN_SEED'] ?? '1'));
    const all = places.flatMap((place) => (['before', 'after'] as const).map((when) => ({ ...place, when })));
    const chosen =
      asked === 'all' ? all : Array.from({ length: Number(asked) }, () => all[Math.floor(next() * all.length)]);
    const bad: string[] = [];
    for (const kill of chosen.flatMap((each) => each ?? [])) {
      const found = await differences(await recoverWith(kind, [kill]));
      bad.push(...found.map((what) => `killed ${kill.when} ${kill.port}.${kill.method} #${kill.call}: ${what}`));
    }
    expect(bad).toEqual([]);
  }, 3_600_000);
});
