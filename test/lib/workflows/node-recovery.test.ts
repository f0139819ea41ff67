import type { JsonObject } from '../../../core/json';
import { reportedLossFigure } from '../../../core/node-recovery/recovery-evidence';
import { reportedPositionKey } from '../../../core/node-recovery/reported-position';
import type { Execution } from '../../../local/states/execution';
import { cluster, SimulatedCluster } from '../../support/simulated-cluster';

/** What must hold after every recovery, however it ended. */
async function expectUnharmed(world: SimulatedCluster): Promise<void> {
  expect(await world.missing()).toEqual([]);
  expect(world.writers()).toEqual([]);
}

async function reasonOf(execution: Execution): Promise<string> {
  const result = await execution.finished;
  return result.cause ?? (result.output as { reason: string }).reason;
}

async function evidenceOf(world: SimulatedCluster, name = 'recovery-1') {
  const body = await world.evidence.read(`${cluster}/node-recovery/${name}.json`);
  return JSON.parse(body.toString()) as {
    outcome: string;
    reason: string;
    checks: { name: string; ok: boolean }[];
    fences: { of: string; fence: { kind: string } }[];
    decisions: { reason: string }[];
    passes: unknown[];
    milestonesMs: Record<string, number | null>;
    recoveryPointSeconds: number | null;
    figures: unknown[];
  };
}

/** Clients go on writing while states come and go; what they are told must hold afterwards. */
function writeMeanwhile(world: SimulatedCluster): void {
  let number = 0;
  world.onStep = async () => {
    for (let key = 0; key < 12; key += 1) {
      number += 1;
      await world.write(`key-${(number * 7) % 40}`, number % 9 === 0 ? null : `value-${number}`);
    }
  };
}

describe('recovered', () => {
  it.each([
    ['agents had taken over before', true],
    ['no agent had done anything', false],
  ])('under load, when %s', async (_what, agents) => {
    const world = await SimulatedCluster.open();
    writeMeanwhile(world);
    await world.fail('node-3');
    if (agents) {
      await world.agentsTakeOver('node-3');
    }
    const execution = world.recover({ nodeId: 'node-3' });
    expect(await reasonOf(execution)).toMatch(
      /^node-3-r1 has taken the place of node-3: \d+ rows compared equal, 4 shards/,
    );
    expect(execution.status).toBe('SUCCEEDED');
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
    const shards = await world.registry.shards(cluster);
    expect(shards.map((shard) => shard.state)).toEqual(Array.from({ length: 8 }, () => 'in sync'));
    const loads = ['node-1', 'node-2', 'node-3-r1', 'node-4'].map(
      (node) => shards.filter((shard) => shard.primary === node).length,
    );
    expect(loads).toEqual([2, 2, 2, 2]);
    expect(world.published.started).toEqual(['full-backup/after-recovery-1']);
  });

  it('leaves evidence: fences, checks, reasons', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    await world.agentsTakeOver('node-3');
    await world.recover({ nodeId: 'node-3' }).finished;
    const evidence = await evidenceOf(world);
    expect(evidence.outcome).toBe('recovered');
    expect(evidence.checks.filter((check) => !check.ok)).toEqual([]);
    expect(evidence.checks).toHaveLength(4);
    expect(evidence.fences.map(({ of, fence }) => `${of} ${fence.kind}`)).toEqual([
      'shard_0002 follower',
      'shard_0006 follower',
      'node-3 machine',
    ]);
    expect(evidence.decisions.map((decision) => decision.reason)).toContain(
      'agent node-2 and agent node-4 call node-3 failed, and its SQL port refuses',
    );
    expect(evidence.milestonesMs['trafficRestored']).toBeLessThanOrEqual(0);
    expect(evidence.milestonesMs['joined']).toBeGreaterThanOrEqual(evidence.milestonesMs['inSync'] ?? Infinity);
    expect((await world.evidence.read(`${cluster}/node-recovery/recovery-1.html`)).toString()).toContain('node-3');
    expect(world.published.notes).toEqual(['orders: node-3 recovered']);
  });

  it('in the next site, where the first has no capacity', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    world.machines.exhaust('b');
    await world.recover({ nodeId: 'node-3' }).finished;
    expect((await world.registry.node(cluster, 'node-3-r1')).site).toBe('a');
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
  });

  it('once, for two alarms at once', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    const first = world.recover({ nodeId: 'node-3' }, 'by-agent');
    const second = world.recover({ nodeId: 'node-3', trigger: 'alarm' }, 'by-alarm');
    const reasons = await Promise.all([reasonOf(first), reasonOf(second)]);
    expect([first.status, second.status]).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(reasons.filter((reason) => reason.includes('already recovers node-3'))).toHaveLength(1);
    expect(await world.leftovers()).toEqual([]);
    expect((await world.machines.list(cluster)).length).toBe(4);
  });

  it.each(['by its agents', 'by the workflow'])(
    'while the old node goes on with its own clients, fenced %s',
    async (by) => {
      const world = await SimulatedCluster.open();
      const zombie = world.servers.at('10.0.0.3');
      if (zombie === null) {
        throw new Error('node-3 has no server');
      }
      expect(world.servers.write('10.0.0.3', 'shard_0002', 'key-4', 'before')).toBe('acknowledged');
      world.acknowledged.set('shard_0002 key-4', ['before']);
      zombie.reachable = false;
      for (const agent of ['node-1', 'node-2', 'node-4']) {
        await world.opinion({ by: agent, about: 'node-3', verdict: 'failed', detail: 'timed out 3 times' });
      }
      if (by === 'by its agents') {
        await world.agentsTakeOver('node-3');
      }
      const heard: string[] = [];
      world.mortality.onCall = (call) => {
        // Right before a new primary accepts writes is the last moment at which the old one could still be confirmed.
        if (call === 'databases.openShard' || call === 'databases.stopFollowing') {
          heard.push(world.servers.write('10.0.0.3', 'shard_0002', 'key-4', 'too late'));
        }
      };
      world.onStep = async (state) => {
        if (state === 'Prove that the failed machine is stopped') {
          await world.write('key-4', 'after');
        }
      };
      await world.recover({ nodeId: 'node-3' }).finished;
      expect(heard[0]).toBe('not confirmed');
      expect(heard).not.toContain('acknowledged');
      expect(world.acknowledged.get('shard_0002 key-4')).toEqual(['after']);
      await expectUnharmed(world);
      expect(await world.leftovers()).toEqual([]);
    },
  );
});

describe('a planned replacement', () => {
  const planned = { nodeId: 'node-3', trigger: 'manual', planned: true };
  const first = (world: SimulatedCluster, state: string) => world.steps.findIndex((step) => step.state === state);

  it('launches first, moves primaries, fences last, and never leaves a single copy', async () => {
    const world = await SimulatedCluster.open();
    writeMeanwhile(world);
    const singles: string[] = [];
    const write = world.store.write.bind(world.store);
    world.store.write = async (changes) => {
      await write(changes);
      const shards = await world.registry.shards(cluster);
      singles.push(...shards.filter((shard) => shard.follower === null).map((shard) => shard.id));
    };
    const execution = world.recover(planned);
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    expect(singles).toEqual([]);
    const last = world.steps.findLastIndex((step) => step.state === 'Hand over a shard');
    expect(first(world, 'Launch the replacement')).toBeLessThan(first(world, 'Move a primary away'));
    expect(first(world, 'Move a primary away')).toBeLessThan(first(world, 'Load a chunk'));
    expect(last).toBeLessThan(first(world, 'Fence the replaced node'));
    expect(world.steps.map((step) => step.state)).not.toContain('Promote the owner of a shard');
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
    const evidence = await evidenceOf(world);
    expect(evidence.checks.filter((check) => !check.ok)).toEqual([]);
    expect(evidence.milestonesMs['fenced']).toBeGreaterThan(evidence.milestonesMs['joined'] ?? Infinity);
  });

  it.each(['Load a chunk', 'Compare rows of a shard'])(
    'goes on where the old node dies at "%s", and its shards go on alone',
    async (state) => {
      const world = await SimulatedCluster.open();
      let dead = false;
      world.onStep = async (name) => {
        if (name === state && !dead) {
          dead = true;
          await world.fail('node-3');
          await world.agentsTakeOver('node-3');
        }
      };
      expect(await reasonOf(world.recover(planned))).toMatch(/^node-3-r1 has taken the place of node-3/);
      await expectUnharmed(world);
      expect(await world.leftovers()).toEqual([]);
    },
  );

  it('is undone with two copies of everything where the replacement dies', async () => {
    const world = await SimulatedCluster.open();
    world.onStep = async (name) => {
      if (name === 'Compare rows of a shard') {
        world.servers.kill(world.dns.resolve('node-3-r1.orders.internal'));
      }
    };
    const result = await world.recover(planned).finished;
    expect(result.error).toBe('undone');
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
    expect((await world.registry.shards(cluster)).map((shard) => shard.state)).toEqual(
      Array.from({ length: 8 }, () => 'in sync'),
    );
    expect((await world.registry.node(cluster, 'node-3')).state).toBe('serving');
  });

  it('keeps both nodes where it can not be finished, for each is a second copy of some shards', async () => {
    const world = await SimulatedCluster.open();
    let handedOver = 0;
    world.onStep = async (name) => {
      handedOver += name === 'Hand over a shard' ? 1 : 0;
      if (handedOver === 3) {
        world.servers.kill(world.dns.resolve('node-3-r1.orders.internal'));
      }
    };
    const result = await world.recover(planned).finished;
    expect(result.error).toBe('needs an operator');
    expect(result.cause).toMatch(/node-3-r1 stays, for shard_\d+.* would lose a copy without it/);
    await expectUnharmed(world);
  });

  it.each([
    ['a shard has a single copy', 'node-4', true, "shard_0002 is 'single copy'"],
    ['the other owner is silent', 'node-4', false, 'the other owner of shard_0002, node-4, is silent'],
  ])('is refused where %s', async (_what, other, agents, words) => {
    const world = await SimulatedCluster.open();
    await world.fail(other);
    if (agents) {
      await world.agentsTakeOver(other);
    }
    const result = await world.recover(planned).finished;
    expect(result.error).toBe('refused');
    expect(result.cause).toContain(words);
    expect(result.cause).toContain('a planned replacement keeps two copies of each shard throughout');
  });
});

describe('an asynchronous cluster', () => {
  const settings = { durability: 'asynchronous' };
  const report = async (
    world: SimulatedCluster,
    position: string,
    confirmed: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const item = { nodeId: 'node-3', position, atMs: world.clock.nowMs(), confirmed, earlier: [] };
    await world.store.write([
      { kind: 'put', key: reportedPositionKey(cluster, 'node-3'), value: item, when: { absentOrEquals: {} } },
    ]);
  };

  it('promotes after the machine is proved stopped, and says what may be lost', async () => {
    const world = await SimulatedCluster.open({ settings });
    await world.fail('node-3');
    await report(world, world.servers.at('10.0.0.3')?.position() ?? '');
    const execution = world.recover({ nodeId: 'node-3', trigger: 'alarm' });
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    const order = world.steps.map((step) => step.state);
    expect(order.lastIndexOf('Prove that the failed machine is stopped')).toBeLessThan(
      order.indexOf('Promote the owner of a shard'),
    );
    await expectUnharmed(world);
    expect((await world.registry.shard(cluster, 'shard_0002')).fence?.kind).toBe('machine');
    const { recoveryPointSeconds, figures } = await evidenceOf(world);
    expect(figures).toContainEqual({ name: reportedLossFigure, value: 0, unit: 'bytes' });
    // From the last report to the proof of the fence.
    expect(recoveryPointSeconds).toBeGreaterThan(0);
    expect(recoveryPointSeconds).toBeLessThan(60);
  });

  it('knows by what the primary reported that an idle shard lacks nothing', async () => {
    const world = await SimulatedCluster.open({ settings });
    const { position, confirmed } = {
      position: '0/3000000',
      confirmed: { s0002e1: '0/3000000', s0006e1: '0/3000000' },
    };
    await world.fail('node-3');
    await report(world, position, confirmed);
    const execution = world.recover({ nodeId: 'node-3', trigger: 'alarm' });
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    await expectUnharmed(world);
  });

  it.each([
    ['never reported its position', null, 'node-3 never reported its position'],
    ['had written more than may be lost', '0/3000000', '16777216 are allowed'],
  ])('waits for an operator when the dead primary %s', async (_what, position, words) => {
    const world = await SimulatedCluster.open({ settings });
    await world.fail('node-3');
    if (position !== null) {
      await report(world, position);
    }
    const result = await world.recover({ nodeId: 'node-3', trigger: 'alarm' }).finished;
    expect(result.error).toBe('needs an operator');
    expect(result.cause).toContain(words);
    expect((await world.registry.shard(cluster, 'shard_0002')).primary).toBe('node-3');
    expect(world.writers()).toEqual([]);
  });
});

describe('managed instances', () => {
  const settings = { durability: 'asynchronous', policy: { maxLossBytes: 0 } };
  const openManaged = async (): Promise<SimulatedCluster> => {
    const world = await SimulatedCluster.open({ settings, managed: true });
    const position = world.servers.at('node-3.rds.internal')?.position() ?? '';
    const item = { nodeId: 'node-3', position, atMs: world.clock.nowMs(), confirmed: {}, earlier: [] };
    await world.store.write([
      { kind: 'put', key: reportedPositionKey(cluster, 'node-3'), value: item, when: 'absent' },
    ]);
    return world;
  };

  it.each([
    ['from a snapshot, whose old rows, shards and subscriptions do no harm', true],
    ['from the other owners, where there is no snapshot', false],
  ])('are restored %s', async (_what, snapshot) => {
    const world = await openManaged();
    if (snapshot) {
      world.snapshot('node-3');
    }
    writeMeanwhile(world);
    await world.fail('node-3');
    const execution = world.recover({ nodeId: 'node-3', trigger: 'alarm' });
    expect(await reasonOf(execution)).toMatch(/^node-3-r1 has taken the place of node-3/);
    await expectUnharmed(world);
    const server = world.servers.at('orders-node-3-r1.rds.internal');
    expect([...(server?.subscriptions.keys() ?? [])].every((name) => !name.endsWith('e1'))).toBe(true);
    expect(world.managed.isolated('orders-node-3-r1')).toBe(false);
    // Should anybody start it again before it is deleted, it reaches no client.
    expect(world.managed.isolated('orders-node-3')).toBe(true);
    expect(await world.managed.observe('orders-node-3')).toMatchObject({ state: 'deleting' });
  });

  it('that can not be stopped are put in quarantine', async () => {
    const world = await openManaged();
    world.managed.forbidStop('orders-node-3');
    await world.fail('node-3');
    const execution = world.recover({ nodeId: 'node-3', trigger: 'alarm' });
    await execution.finished;
    expect(execution.status).toBe('SUCCEEDED');
    const fences = (await evidenceOf(world)).fences.filter(({ of }) => of === 'node-3');
    expect(fences).toEqual([
      {
        of: 'node-3',
        fence: expect.objectContaining({ api: 'instance orders-node-3 is available in quarantine' }) as object,
      },
    ]);
  });
});

describe('no action needed', () => {
  it('for a false alarm', async () => {
    const world = await SimulatedCluster.open();
    await world.opinion({ by: 'node-4', about: 'node-3', verdict: 'failed', detail: 'a lost packet' });
    const execution = world.recover({ nodeId: 'node-3' });
    expect(await reasonOf(execution)).toMatch(/^node-3 answers SQL/);
    expect(execution.status).toBe('SUCCEEDED');
    expect(await world.leftovers()).toEqual([]);
    expect((await evidenceOf(world)).outcome).toBe('no action needed');
  });
});

describe('refused', () => {
  const refusal = async (
    input: JsonObject,
    prepare: (world: SimulatedCluster) => Promise<void>,
  ): Promise<readonly [string | null, string]> => {
    const world = await SimulatedCluster.open();
    await prepare(world);
    const before = JSON.stringify(await world.registry.shards(cluster));
    const result = await world.recover(input).finished;
    expect(JSON.stringify(await world.registry.shards(cluster))).toBe(before);
    await expectUnharmed(world);
    return [result.error, result.cause ?? ''];
  };

  it('on one witness', async () => {
    expect(await refusal({ nodeId: 'node-3' }, (world) => world.fail('node-3', []))).toEqual([
      'refused',
      'only agent node-2 calls node-3 failed',
    ]);
  });

  it('when both owners of a shard are silent', async () => {
    const both = async (world: SimulatedCluster): Promise<void> => {
      await world.fail('node-3');
      await world.fail('node-4');
    };
    expect(await refusal({ nodeId: 'node-3' }, both)).toEqual([
      'refused',
      'both owners of shard_0002 are silent, and there is no usable backup: bring one of them back first',
    ]);
  });

  it('when more than half the nodes are silent', async () => {
    const three = async (world: SimulatedCluster): Promise<void> => {
      for (const node of ['node-1', 'node-3', 'node-4']) {
        await world.fail(node);
      }
    };
    const [error, cause] = await refusal({ nodeId: 'node-3' }, three);
    expect(error).toBe('refused');
    expect(cause).toContain('more than half the nodes are silent');
  });

  it('when rows can not be restored', async () => {
    const keyless = async (world: SimulatedCluster): Promise<void> => {
      await world.fail('node-3');
      world.databases.peculiarities = [
        {
          object: 'orders',
          kind: 'key',
          verdict: 'refused',
          reason: 'has no primary key',
          whatToDo: 'add a primary key',
        },
      ];
    };
    const [error, cause] = await refusal({ nodeId: 'node-3' }, keyless);
    expect([error, cause.slice(0, 25)]).toEqual(['refused', 'orders has no primary key']);
  });

  it('when the same node fails again soon', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    await world.recover({ nodeId: 'node-3' }).finished;
    await world.clock.sleep(12 * 60_000);
    await world.fail('node-3-r1');
    const result = await world.recover({ nodeId: 'node-3-r1' }, 'recovery-2').finished;
    expect(result.error).toBe('refused');
    expect(result.cause).toMatch(/node-3 was replaced 1\d min ago/);
    await expectUnharmed(world);
  });

  it('for a node that is none', async () => {
    const [error, cause] = await refusal({ nodeId: 'node-9' }, async () => undefined);
    expect(error).toBe('refused');
    expect(cause).toContain(
      "node 'node-9' is not a member of cluster 'orders' (members: node-1, node-2, node-3, node-4)",
    );
  });
});

describe('failed', () => {
  it.each([
    ['an unknown cluster', { cluster: 'shop', nodeId: 'node-3' }, "rejoin.yaml has no cluster 'shop'"],
    ['an unknown field', { nodeId: 'node-3', force: true }, 'force'],
    ['no node', {}, 'nodeId'],
  ])('before anything is changed, for %s', async (_what, input, words) => {
    const world = await SimulatedCluster.open();
    const result = await world.recover(input).finished;
    expect(result.error).toBe('failed');
    expect(result.cause).toContain(words);
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('needs an operator', () => {
  it('when the machine can not be proved stopped: traffic is back, nothing is launched', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    world.machines.hang((await world.registry.node(cluster, 'node-3')).machineId);
    const result = await world.recover({ nodeId: 'node-3' }).finished;
    expect(result.error).toBe('needs an operator');
    expect(result.cause).toMatch(
      /^the fence is not proved: the machine API does not say stopped: machine i-\d+ is stopping/,
    );
    await expectUnharmed(world);
    expect((await world.registry.shards(cluster)).every((shard) => shard.primary !== 'node-3')).toBe(true);
    expect(await world.write('key-2', 'after')).toBe('acknowledged');
    expect(world.steps.map((step) => step.state)).not.toContain('Launch the replacement');
  });
});

describe('a step that is not certain', () => {
  it('ends with an operator when the evidence can not be written', async () => {
    const world = await SimulatedCluster.open();
    const calls = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    world.mortality.kills.push(
      ...calls.map((call) => ({ port: 'evidence', method: 'write', call, when: 'before' as const })),
    );
    const result = await world.recover({ nodeId: 'node-1' }).finished;
    expect(result.error).toBe('needs an operator');
    expect(result.cause).toMatch(
      /^ended as no action needed \(node-1 answers SQL .*\), but the evidence could not be written/,
    );
  });

  it('stops when its lease was taken by somebody else, and undoes under a lease of its own', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    let stolen = false;
    world.onStep = async (state) => {
      if (state === 'Hand over a shard' && !stolen) {
        stolen = true;
        const held = await world.store.read({ pk: `CLUSTER#${cluster}`, sk: 'LEASE' });
        const value = { ...held, holder: 'somebody', epoch: 99, expiresAtMs: world.clock.nowMs() + 60_000 };
        await world.store.write([
          { kind: 'put', key: { pk: `CLUSTER#${cluster}`, sk: 'LEASE' }, value, when: { equals: {} } },
        ]);
      }
    };
    const result = await world.recover({ nodeId: 'node-3' }).finished;
    expect([result.error, result.cause?.includes('LeaseLost')]).toEqual(['undone', true]);
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('undone', () => {
  it('when no site has capacity', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    world.machines.exhaust('a');
    world.machines.exhaust('b');
    const result = await world.recover({ nodeId: 'node-3' }).finished;
    expect([result.error, result.cause]).toEqual([
      'undone',
      "no capacity for node-3's replacement in b, a (CapacityShort)",
    ]);
    await expectUnharmed(world);
    expect(await world.leftovers()).toEqual([]);
  });

  it.each(['Load a chunk', 'Compare rows of a shard', 'Hand over a shard'])(
    'when the replacement dies at "%s", and a later execution recovers',
    async (state) => {
      const world = await SimulatedCluster.open();
      await world.fail('node-3');
      let dead = false;
      world.onStep = async (name) => {
        if (name === state && !dead) {
          dead = true;
          world.servers.kill(world.dns.resolve('node-3-r1.orders.internal'));
        }
      };
      const result = await world.recover({ nodeId: 'node-3' }).finished;
      expect(result.error).toBe('undone');
      await expectUnharmed(world);
      expect(await world.leftovers()).toEqual([]);
      world.onStep = async () => undefined;
      const again = world.recover({ nodeId: 'node-3', trigger: 'manual' }, 'recovery-2');
      expect(await reasonOf(again)).toMatch(/^node-3-r2 has taken the place of node-3/);
      await expectUnharmed(world);
      expect(await world.leftovers()).toEqual([]);
    },
  );

  it('when a survivor dies while rows are restored, and names what is left on it', async () => {
    const world = await SimulatedCluster.open();
    await world.fail('node-3');
    world.onStep = async (name) => {
      if (name === 'Load a chunk') {
        world.servers.kill(world.dns.resolve('node-4.orders.internal'));
      }
    };
    const result = await world.recover({ nodeId: 'node-3' }).finished;
    expect(result.error).toBe('undone');
    expect(result.cause).toContain('left over: slots s0002e2 and s0002e1 on node-4');
    expect((await world.registry.node(cluster, 'node-3-r1')).state).toBe('retired');
  });
});
