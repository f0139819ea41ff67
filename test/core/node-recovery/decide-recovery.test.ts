import fc from 'fast-check';
import type { NodeItem, Shard } from '../../../core/cluster/items';
import { decideRecovery, type RecoveryFacts } from '../../../core/node-recovery/decide-recovery';
import type { ShardLoss } from '../../../core/node-recovery/shard-loss';

const nowMs = Date.UTC(2026, 0, 1);
const node = (id: string, more: Partial<NodeItem> = {}): NodeItem => ({
  id,
  site: 'a',
  machineKind: 'ec2',
  machineId: `i-${id}`,
  host: `${id}.orders.internal`,
  port: 5432,
  state: 'serving',
  builder: null,
  replacedAtMs: [],
  ...more,
});
const shard = (number: number, primary: string, follower: string | null, more: Partial<Shard> = {}): Shard => ({
  id: `shard_000${number}`,
  schemas: [`shard_000${number}`],
  epoch: 1,
  primary,
  follower,
  version: 1,
  state: follower === null ? 'single copy' : 'in sync',
  fence: null,
  ...more,
});

const facts: RecoveryFacts = {
  input: { cluster: 'orders', nodeId: 'node-3', trigger: 'agent:node-2', acceptLossSeconds: null, planned: false },
  nowMs,
  policy: { minMinutesBetweenReplacements: 30, maxReplacementsPerDay: 3 },
  layout: 'sharded',
  judgement: { verdict: 'failed', reason: 'agent node-2 and agent node-4 call node-3 failed' },
  silent: ['node-3'],
  nodes: ['node-1', 'node-2', 'node-3', 'node-4'].map((id) => node(id)),
  shards: [shard(1, 'node-3', 'node-4'), shard(2, 'node-1', 'node-3'), shard(7, 'node-2', 'node-1')],
  running: new Set(),
  losses: [],
  refusedTables: [],
};
const replacedAgo = (minutes: number) => nowMs - minutes * 60_000;

describe('a recovery', () => {
  it('replaces a failed node', () => {
    expect(decideRecovery(facts)).toEqual({ action: 'replace', reason: facts.judgement.reason });
  });

  it('leaves a living node alone', () => {
    const judgement = { verdict: 'alive', reason: 'node-3 answers SQL in 3 ms' } as const;
    expect(decideRecovery({ ...facts, judgement })).toEqual({ action: 'none', reason: judgement.reason });
  });

  it('is refused on one witness', () => {
    const judgement = { verdict: 'unknown', reason: 'only agent node-2 calls node-3 failed' } as const;
    expect(decideRecovery({ ...facts, judgement })).toEqual({ action: 'refuse', reason: judgement.reason });
  });

  it('names the members when the node is none of them', () => {
    const decided = decideRecovery({ ...facts, input: { ...facts.input, nodeId: 'orders-3' } });
    expect(decided.action).toBe('refuse');
    expect(decided.reason).toBe(
      "node 'orders-3' is not a member of cluster 'orders' (members: node-1, node-2, node-3, node-4); check 'nodeId' in the execution input",
    );
  });

  it('is over when the node is retired', () => {
    const nodes = facts.nodes.map((each) => (each.id === 'node-3' ? node('node-3', { state: 'retired' }) : each));
    expect(decideRecovery({ ...facts, nodes })).toMatchObject({ action: 'none' });
  });

  it('is not begun twice, and goes on where a dead execution stopped', () => {
    const nodes = [...facts.nodes, node('node-3-r1', { state: 'building', builder: 'first' })];
    expect(decideRecovery({ ...facts, nodes, running: new Set(['first']) })).toEqual({
      action: 'none',
      reason: 'execution first already recovers node-3',
    });
    expect(decideRecovery({ ...facts, nodes }).action).toBe('replace');
  });

  it('is refused when more than half the nodes are silent', () => {
    const decided = decideRecovery({ ...facts, silent: ['node-1', 'node-2', 'node-3'] });
    expect(decided.action).toBe('refuse');
    expect(decided.reason).toContain('more than half the nodes are silent');
  });

  describe('of a shard whose owners are both silent', () => {
    const silent = { ...facts, silent: ['node-3', 'node-4'] };
    const loss = (lossSeconds: number): ShardLoss => ({
      shard: 'shard_0001',
      epoch: 1,
      logOf: 'node-3',
      slot: 'b1',
      changesFrom: '0/1',
      capturedTo: '0/2',
      capturedAtMs: nowMs - 100_000,
      lossSeconds,
      otherPrimary: null,
    });
    const decided = (losses: RecoveryFacts['losses'], acceptLossSeconds: number | null) =>
      decideRecovery({ ...silent, losses, input: { ...silent.input, acceptLossSeconds } });
    const refusal =
      'both owners of shard_0001 are silent: a backup would lose up to 61 s; start again with acceptLossSeconds';

    it.each([null, 0, 60])('is refused with what would be lost, where %s s are accepted', (accepted) => {
      expect(decided([loss(61)], accepted)).toEqual({ action: 'refuse', reason: refusal });
    });

    it('goes on where as much is accepted', () => {
      expect(decided([loss(61)], 61).action).toBe('replace');
      expect(decided([loss(61), { ...loss(75), shard: 'shard_0002' }], 74).reason).toContain('shard_0002');
    });

    it('is refused whatever is accepted, where nobody knows the loss or there is no backup', () => {
      expect(decided(['its changes are not stored'], 9_999)).toMatchObject({
        action: 'refuse',
        reason: expect.stringContaining('nobody knows how much a backup would lose: its changes') as string,
      });
      expect(decided(null, 9_999)).toMatchObject({
        action: 'refuse',
        reason: expect.stringContaining('there is no usable backup') as string,
      });
    });
  });

  it('does not count a follower that is still joining as an owner', () => {
    const shards = [shard(1, 'node-3', 'node-4', { state: 'restoring' })];
    expect(decideRecovery({ ...facts, shards, losses: null }).reason).toContain('both owners of shard_0001 are silent');
  });

  it('is refused soon after the last one, whichever node that was', () => {
    const nodes = [...facts.nodes, node('node-2-old', { state: 'retired', replacedAtMs: [replacedAgo(12)] })];
    const decided = decideRecovery({ ...facts, nodes });
    expect(decided.action).toBe('refuse');
    expect(decided.reason).toContain('replaced 12 min ago');
  });

  it('is refused after three in a day', () => {
    const replacedAtMs = [replacedAgo(1_300), replacedAgo(600), replacedAgo(40)];
    const nodes = [...facts.nodes, node('old', { state: 'retired', replacedAtMs })];
    expect(decideRecovery({ ...facts, nodes }).reason).toContain('3 nodes were replaced within a day');
    const later = [
      ...facts.nodes,
      node('old', { state: 'retired', replacedAtMs: [replacedAgo(1_441), ...replacedAtMs.slice(1)] }),
    ];
    expect(decideRecovery({ ...facts, nodes: later }).action).toBe('replace');
  });

  it('is not held back when a person starts it', () => {
    const nodes = [...facts.nodes, node('old', { state: 'retired', replacedAtMs: [replacedAgo(1)] })];
    const byHand = { ...facts, nodes, input: { ...facts.input, trigger: 'manual' } };
    expect(decideRecovery(byHand).action).toBe('replace');
  });

  it('is refused when rows can not be restored', () => {
    const refusedTables = [
      {
        object: 'orders',
        kind: 'no primary key',
        verdict: 'refused' as const,
        reason: 'orders has no primary key',
        whatToDo: 'add one',
      },
    ];
    expect(decideRecovery({ ...facts, refusedTables })).toEqual({
      action: 'refuse',
      reason: 'orders has no primary key; add one',
    });
  });
});

describe('a planned recovery', () => {
  const planned = { ...facts, silent: [], input: { ...facts.input, trigger: 'manual', planned: true } };

  it('replaces a node that answers', () => {
    const judgement = { verdict: 'alive', reason: 'node-3 answers SQL in 3 ms' } as const;
    expect(decideRecovery({ ...planned, judgement }).action).toBe('replace');
  });

  it('is refused when the node does not', () => {
    expect(decideRecovery(planned)).toMatchObject({ action: 'refuse' });
  });

  it.each([
    ["shard_0001 is 'restoring'", [shard(1, 'node-3', 'node-4', { state: 'restoring' })], []],
    ["shard_0002 is 'single copy'", [shard(2, 'node-3', null)], []],
    ['the other owner of shard_0001, node-4, is silent', facts.shards, ['node-4']],
  ])('is refused when %s, for then there is one copy only', (why, shards, silent) => {
    const judgement = { verdict: 'alive', reason: 'node-3 answers SQL in 3 ms' } as const;
    const decided = decideRecovery({ ...planned, judgement, shards, silent });
    expect(decided.action).toBe('refuse');
    expect(decided.reason).toBe(
      `${why}, and a planned replacement keeps two copies of each shard throughout; recover its other owner first`,
    );
  });

  it('does not ask for two copies of what the node does not own', () => {
    const judgement = { verdict: 'alive', reason: 'node-3 answers SQL in 3 ms' } as const;
    const shards = [...facts.shards, shard(8, 'node-2', null)];
    expect(decideRecovery({ ...planned, judgement, shards, silent: ['node-2'] }).action).toBe('replace');
  });
});

test('a node is never replaced on less than a failed verdict, nor with a silent majority or a silent survivor', () => {
  const ids = ['node-1', 'node-2', 'node-3', 'node-4'];
  fc.assert(
    fc.property(
      fc.subarray(ids),
      fc.constantFrom('failed' as const, 'alive' as const, 'unknown' as const),
      fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 5 }),
      fc.option(fc.integer({ min: 0, max: 200 }), { nil: null }),
      (silent, verdict, minutes, acceptLossSeconds) => {
        const nodes = [...facts.nodes, node('old', { state: 'retired', replacedAtMs: minutes.map(replacedAgo) })];
        const input = { ...facts.input, acceptLossSeconds };
        const decided = decideRecovery({
          ...facts,
          input,
          nodes,
          silent,
          losses: null,
          judgement: { verdict, reason: 'why' },
        });
        const survivorsSilent = silent.includes('node-4') || silent.includes('node-1');
        const within = (most: number) => minutes.filter((each) => each < most).length;
        const allowed =
          verdict === 'failed' && silent.length <= 2 && !survivorsSilent && within(30) === 0 && within(1_440) < 3;
        expect(decided.action === 'replace').toBe(allowed);
        expect(decided.reason).not.toBe('');
      },
    ),
  );
});
