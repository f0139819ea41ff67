import fc from 'fast-check';
import type { Shard } from '../../../core/cluster/items';
import { positionBytes, positionOf } from '../../../core/cluster/position';
import { acceptFences, proveStopped } from '../../../core/node-recovery/accept-fences';
import { chooseCandidate, type CandidateFacts } from '../../../core/node-recovery/choose-candidate';
import { endingAfterUndo, endingOf, failureInWords } from '../../../core/node-recovery/endings';
import {
  shardAfterFollowerLoss,
  shardAfterJoining,
  shardAfterSuccession,
  shardAfterPromotion,
  shardInSync,
} from '../../../core/node-recovery/ownership';
import { planUndo } from '../../../core/node-recovery/plan-undo';
import { launchSites, nodeBeside, replacementHost, replacementId } from '../../../core/node-recovery/replacement';

const shard = (number: number, primary: string, follower: string): Shard => ({
  id: `shard_000${number}`,
  schemas: [`shard_000${number}`],
  epoch: 12,
  primary,
  follower,
  version: 1,
  state: 'in sync',
  fence: null,
});
const promoted = shardAfterPromotion(
  shard(1, 'node-3', 'node-2'),
  'node-2',
  { kind: 'follower', api: 'no apply worker is left', probes: [] },
  5_000,
);
const alone = shardAfterFollowerLoss(shard(2, 'node-1', 'node-3'));
const synchronous = { durability: 'synchronous', layout: 'sharded' } as const;

describe('fences', () => {
  it('of followers are accepted, and what agents left is listed', () => {
    const shards = [
      promoted,
      alone,
      shard(3, 'node-3', 'node-4'),
      shard(4, 'node-4', 'node-3'),
      shard(5, 'node-1', 'node-2'),
    ];
    const plan = acceptFences('node-3', shards, synchronous);
    expect(plan.accepted.map((each) => each.shard)).toEqual(['shard_0001']);
    expect(plan.left).toEqual(['shard_0003', 'shard_0004']);
    expect(plan.machineFirst).toBe(false);
  });

  it('of a follower do nothing for an asynchronous cluster: the machine is stopped first', () => {
    expect(acceptFences('node-3', [], { ...synchronous, durability: 'asynchronous' }).machineFirst).toBe(true);
    expect(acceptFences('node-3', [], { ...synchronous, layout: 'replicated' }).machineFirst).toBe(true);
  });

  const probes = [
    { fromSite: 'a', answer: 'timed out' as const },
    { fromSite: 'b', answer: 'refused' as const },
  ];

  it('of a machine take the API and two probes', () => {
    expect(proveStopped({ stopped: true, api: 'i-3 is stopped', probes }, 7).fence).toEqual({
      kind: 'machine',
      api: 'i-3 is stopped',
      probes: ['from a: timed out', 'from b: refused'],
      atMs: 7,
    });
  });

  it.each([
    ['the API does not say so', { stopped: false, api: 'i-3 is stopping', probes }],
    [
      'a port is open',
      { stopped: true, api: 'i-3 is stopped', probes: [...probes, { fromSite: 'c', answer: 'open' as const }] },
    ],
    ['only one site probed', { stopped: true, api: 'i-3 is stopped', probes: probes.slice(0, 1) }],
  ])('of a machine are not proved when %s', (_what, seen) => {
    expect(proveStopped(seen, 7)).toMatchObject({ proved: false, fence: null });
  });
});

describe('a candidate', () => {
  const facts: CandidateFacts = {
    subject: 'shard_0007',
    oldPrimary: 'node-3',
    lastReported: '0/2000',
    candidates: [
      { nodeId: 'node-4', site: 'a', received: '0/1F00' },
      { nodeId: 'node-1', site: 'b', received: '0/1F00' },
      { nodeId: 'node-2', site: 'a', received: '0/1F00' },
      { nodeId: 'node-0', site: 'a', received: '0/1E00' },
      { nodeId: 'node-9', site: 'a', received: null },
    ],
    clientSite: 'a',
    maxLossBytes: 256,
  };

  it('has received most, then is where the clients are, then has the lowest id', () => {
    expect(chooseCandidate(facts)).toMatchObject({ action: 'promote', nodeId: 'node-2', lossBytes: 256 });
    expect(chooseCandidate({ ...facts, clientSite: 'b' })).toMatchObject({ nodeId: 'node-1' });
    expect(chooseCandidate({ ...facts, clientSite: null })).toMatchObject({ nodeId: 'node-1' });
  });

  it('is refused when too much would be lost, or when nobody knows how much', () => {
    expect(chooseCandidate({ ...facts, maxLossBytes: 255 }).action).toBe('refuse');
    expect(chooseCandidate({ ...facts, lastReported: null }).action).toBe('refuse');
    expect(chooseCandidate({ ...facts, candidates: facts.candidates.slice(-1) }).action).toBe('refuse');
  });

  it('never loses more than allowed, and nobody received more', () => {
    const candidate = fc.record({
      nodeId: fc.constantFrom('node-1', 'node-2', 'node-4'),
      site: fc.constantFrom('a', 'b'),
      received: fc.option(fc.bigInt(0n, 4_096n).map(positionOf), { nil: null }),
    });
    fc.assert(
      fc.property(
        fc.array(candidate, { maxLength: 5 }),
        fc.bigInt(0n, 4_096n),
        fc.nat(4_096),
        (candidates, end, most) => {
          const chosen = chooseCandidate({ ...facts, candidates, lastReported: positionOf(end), maxLossBytes: most });
          const received = candidates.flatMap((each) => (each.received === null ? [] : [each.received]));
          const furthest = received
            .map(positionBytes)
            .sort((left, right) => Number(left - right))
            .at(-1);
          const acceptable = furthest !== undefined && end - furthest <= BigInt(most);
          expect(chosen.action).toBe(acceptable ? 'promote' : 'refuse');
        },
      ),
    );
  });
});

describe('a replacement', () => {
  it('gets a name that was never used', () => {
    expect(replacementId('node-3', ['node-3', 'node-4'])).toBe('node-3-r1');
    expect(replacementId('node-3-r1', ['node-3', 'node-3-r1'])).toBe('node-3-r2');
    expect(replacementId('node-3', ['node-3', 'node-3-r1', 'node-3-r4'])).toBe('node-3-r5');
    expect(replacementHost('node-3.orders.internal', 'node-3-r1')).toBe('node-3-r1.orders.internal');
  });

  it('is launched where the node was, then where the fewest are, three times at most', () => {
    const node = (id: string, site: string) => ({
      id,
      site,
      machineKind: 'ec2' as const,
      machineId: id,
      host: id,
      port: 5432,
      state: 'serving' as const,
      builder: null,
      replacedAtMs: [],
    });
    const nodes = [node('node-1', 'b'), node('node-2', 'b'), node('node-3', 'c'), node('node-4', 'd')];
    expect(launchSites(node('node-3', 'c'), ['a', 'b', 'c', 'd'], nodes)).toEqual(['c', 'a', 'd']);
  });
});

describe('the node that an agent stands beside', () => {
  const node = (id: string, machineKind: 'ec2' | 'rds', state: 'serving' | 'silent' | 'building' | 'retired') => ({
    id,
    site: 'a',
    machineKind,
    machineId: id,
    host: id,
    port: 5432,
    state,
    builder: null,
    replacedAtMs: [],
  });

  it('is its own on an EC2 instance, whoever has taken its place', () => {
    const nodes = [node('node-3', 'ec2', 'retired'), node('node-3-r1', 'ec2', 'serving')];
    expect(nodeBeside('node-3', nodes)?.id).toBe('node-3');
  });

  it('is whoever serves in the place of an RDS instance, and the failed one until then', () => {
    const building = [
      node('node-3', 'rds', 'silent'),
      node('node-3-r1', 'rds', 'building'),
      node('node-4', 'rds', 'serving'),
    ];
    expect(nodeBeside('node-3', building)?.id).toBe('node-3');
    const nodes = [
      node('node-3', 'rds', 'retired'),
      node('node-3-r1', 'rds', 'retired'),
      node('node-3-r2', 'rds', 'serving'),
    ];
    expect(nodeBeside('node-3', nodes)?.id).toBe('node-3-r2');
    expect(nodeBeside('node-9', nodes)).toBeUndefined();
  });
});

describe('undo', () => {
  const nodes = { replacement: 'node-3-r1', predecessor: null };

  it('takes the replacement away with its slots, and leaves promotions and other shards', () => {
    const joining = shardAfterJoining(alone, 'node-3-r1');
    const others = [shard(5, 'node-1', 'node-2'), shard(6, 'node-1', 'node-4')];
    const plan = planUndo([promoted, joining, ...others], ['shard_0001', 'shard_0002'], nodes);
    expect(plan.kept).toEqual([]);
    expect(plan.actions).toEqual([
      { kind: 'drop slots', shard: promoted, slots: ['s0001e13', 's0001e12'] },
      { kind: 'go on alone', shard: joining, slots: ['s0002e13'] },
    ]);
  });

  it('finds the slot of a replacement that was given up before the undo died', () => {
    const givenUp = shardAfterFollowerLoss(shardAfterJoining(alone, 'node-3-r1'));
    const [action] = planUndo([givenUp], ['shard_0002'], nodes).actions;
    expect(action?.slots).toContain('s0002e13');
  });

  it('never takes away a replacement that has become a primary', () => {
    const served = { ...shardInSync(shardAfterJoining(alone, 'node-3-r1')), primary: 'node-3-r1', follower: 'node-1' };
    expect(planUndo([served], ['shard_0002'], nodes)).toEqual({ actions: [], kept: ['shard_0002'] });
  });

  describe('of a planned replacement, whose old node lives', () => {
    const planned = { replacement: 'node-3-r1', predecessor: 'node-3' };
    const followed = shard(1, 'node-1', 'node-3');

    it('drops the slots that were opened beside its own, and nothing of its own', () => {
      expect(planUndo([followed], ['shard_0001'], planned)).toEqual({
        actions: [{ kind: 'drop slots', shard: followed, slots: ['s0001e13'] }],
        kept: [],
      });
    });

    it('leaves the replacement where it is the second copy already', () => {
      const handedOver = shardInSync(shardAfterSuccession(shard(2, 'node-1', 'node-3'), 'node-3-r1'));
      const plan = planUndo([followed, handedOver], ['shard_0001', 'shard_0002'], planned);
      expect(plan.kept).toEqual(['shard_0002']);
      expect(plan.actions.map(({ shard: { id }, slots }) => [id, slots])).toEqual([['shard_0001', ['s0001e13']]]);
    });

    it('drops both slots where one had taken the place of the other and was not in sync yet', () => {
      const half = shardAfterSuccession(followed, 'node-3-r1');
      const { actions } = planUndo([half], ['shard_0001'], planned);
      expect(actions.map(({ kind, slots }) => [kind, slots])).toEqual([['go on alone', ['s0001e13', 's0001e12']]]);
    });
  });
});

describe('an ending', () => {
  const failure = (name: string, errorMessage: string) => ({
    Error: name,
    Cause: JSON.stringify({ errorType: name, errorMessage, trace: [] }),
  });

  it('speaks with the words of the step that failed', () => {
    expect(endingAfterUndo(failure('NotConverging', 'shard_0003 gains 21,000 rows/s, applies 18,000'))).toEqual({
      outcome: 'undone',
      reason: 'shard_0003 gains 21,000 rows/s, applies 18,000 (NotConverging)',
    });
    expect(endingAfterUndo(failure('LossNotAccepted', 'too much')).outcome).toBe('needs an operator');
    expect(failureInWords({ Error: 'States.Timeout', Cause: '' })).toBe('a step did not answer in time');
    expect(failureInWords({ Error: 'X', Cause: '{"half' })).toBe('{"half (X)');
  });

  it('always has a reason', () => {
    expect(endingOf('recovered', 'node-3-r1 is in sync', null)).toEqual({
      outcome: 'recovered',
      reason: 'node-3-r1 is in sync',
    });
    expect(endingOf('failed', null, failure('NotFound', 'no cluster')).reason).toBe('no cluster (NotFound)');
    expect(endingOf('needs an operator', 'undo failed', failure('SqlFailed', 'x')).reason).toBe(
      'undo failed: x (SqlFailed)',
    );
  });
});
