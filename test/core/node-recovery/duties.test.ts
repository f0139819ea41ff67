import fc from 'fast-check';
import type { Shard } from '../../../core/cluster/items';
import { shardStates } from '../../../core/cluster/items';
import { agentDuties, type AgentFacts } from '../../../core/node-recovery/duties';
import { followName } from '../../../core/node-recovery/ownership';
import { afterProbe, unprobed } from '../../../core/node-recovery/suspicion';
import type { Verdict, Witness } from '../../../core/node-recovery/witnesses';

const shard = (change: Partial<Shard> = {}): Shard => ({
  id: 'shard_0007',
  schemas: ['shard_0007'],
  epoch: 4,
  primary: 'node-3',
  follower: 'node-2',
  version: 9,
  state: 'in sync',
  fence: null,
  ...change,
});

const witness = (name: string, verdict: Verdict): Witness => ({ name, verdict, detail: 'refused 2 times' });
const agreed = [witness('agent node-2', 'failed'), witness('agent node-1', 'failed')];

const facts = (change: Partial<AgentFacts> = {}): AgentFacts => ({
  nodeId: 'node-2',
  durability: 'synchronous',
  shards: [shard()],
  local: [{ shard: 'shard_0007', epoch: 4, writable: false }],
  confirming: [],
  verdicts: new Map<string, Verdict>([
    ['node-1', 'alive'],
    ['node-3', 'failed'],
    ['node-4', 'alive'],
  ]),
  witnessesOf: () => agreed,
  witnessesNeeded: 2,
  silentForMs: () => 0,
  ...change,
});

const kinds = (given: AgentFacts) => agentDuties(given).map((duty) => duty.kind);

test('a follower takes over when two agents call its primary failed', () => {
  expect(agentDuties(facts())).toMatchObject([
    { kind: 'promote', reason: 'agent node-2 and agent node-1 call node-3 failed' },
  ]);
});

test('one agent alone takes nothing over', () => {
  expect(
    kinds(facts({ witnessesOf: () => [witness('agent node-2', 'failed'), witness('agent node-1', null)] })),
  ).toEqual([]);
});

test('an agent that finds most of the cluster silent does nothing: it is more likely cut off itself', () => {
  const verdicts = new Map<string, Verdict>([
    ['node-1', 'failed'],
    ['node-3', 'failed'],
    ['node-4', 'failed'],
  ]);
  expect(kinds(facts({ verdicts }))).toEqual([]);
});

describe('in an asynchronous cluster', () => {
  const asynchronous = (change: Partial<AgentFacts> = {}) => facts({ durability: 'asynchronous', ...change });

  test('an agent promotes nothing, for it can prove no fence, and says that the node is gone', () => {
    expect(agentDuties(asynchronous())).toEqual([
      { kind: 'announce', nodeId: 'node-3', reason: 'agent node-2 and agent node-1 call node-3 failed' },
    ]);
  });

  test('one agent alone, or one whom the node answers, keeps it from being announced', () => {
    const alone = [witness('agent node-2', 'failed'), witness('agent node-1', null)];
    expect(kinds(asynchronous({ witnessesOf: () => alone }))).toEqual([]);
    expect(kinds(asynchronous({ witnessesOf: () => [...agreed, witness('agent node-4', 'alive')] }))).toEqual([]);
  });

  test('whoever finds most of the cluster silent announces nobody', () => {
    const verdicts = new Map<string, Verdict>(['node-1', 'node-3', 'node-4'].map((node) => [node, 'failed']));
    expect(kinds(asynchronous({ verdicts }))).toEqual([]);
  });
});

test('a primary goes on alone and keeps waiting for its other followers', () => {
  const own = shard({ primary: 'node-2', follower: 'node-3' });
  const other = shard({ id: 'shard_0008', primary: 'node-2', follower: 'node-1' });
  const given = facts({
    shards: [own, other],
    local: [own, other].map(({ id, epoch }) => ({ shard: id, epoch, writable: true })),
    confirming: [followName(own), followName(other)],
    witnessesOf: (about) => (about === 'node-3' ? agreed : [witness('agent node-2', 'alive')]),
  });
  expect(agentDuties(given)).toMatchObject([{ kind: 'go on alone', shard: own }]);
});

test('a returning node closes what the registry gave away', () => {
  const given = facts({
    nodeId: 'node-3',
    local: [{ shard: 'shard_0007', epoch: 4, writable: true }],
    shards: [shard({ epoch: 5, primary: 'node-2', follower: null, state: 'single copy' })],
    verdicts: new Map(),
  });
  expect(agentDuties(given)).toMatchObject([
    {
      kind: 'close',
      shard: 'shard_0007',
      epoch: 5,
      reason: 'shard_0007 belongs to node-2 since epoch 5; this node accepted writes at epoch 4',
    },
  ]);
});

test('a returning node shortens no list before it has closed what is not its own: waiting commits would be acknowledged', () => {
  const lost = shard({ epoch: 5, primary: 'node-2', follower: null, state: 'single copy' });
  const own = shard({ id: 'shard_0008', primary: 'node-3', follower: 'node-4' });
  const given = facts({
    nodeId: 'node-3',
    local: [
      { shard: 'shard_0007', epoch: 4, writable: true },
      { shard: 'shard_0008', epoch: 4, writable: true },
    ],
    shards: [lost, own],
    confirming: ['s0007e4', 's0008e4'],
    verdicts: new Map<string, Verdict>([['node-4', 'failed']]),
  });
  expect(kinds(given)).toEqual(['close']);
  const closed = { ...given, local: [{ shard: 'shard_0008', epoch: 4, writable: true }] };
  expect(kinds(closed)).toEqual(['go on alone', 'confirm by']);
  expect(kinds({ ...closed, local: null })).toEqual([]);
});

test('an agent that died between the registry and its server goes on where it stopped', () => {
  const promoted = shard({ epoch: 5, primary: 'node-2', follower: null, state: 'single copy' });
  expect(agentDuties(facts({ shards: [promoted] }))).toMatchObject([{ kind: 'open' }]);
  expect(
    agentDuties(
      facts({
        shards: [promoted],
        local: [{ shard: 'shard_0007', epoch: 5, writable: true }],
        confirming: ['s0007e4'],
      }),
    ),
  ).toMatchObject([{ kind: 'confirm by', names: [] }]);
});

test('a shard that is moving is left to the workflow that moves it', () => {
  const moving = shard({ primary: 'node-2', follower: 'node-1', state: 'moving' });
  expect(kinds(facts({ shards: [moving], confirming: [followName(moving)], witnessesOf: () => [] }))).toEqual([]);
});

const anyShard = fc.record({
  id: fc.constantFrom('shard_0001', 'shard_0002'),
  epoch: fc.integer({ min: 1, max: 3 }),
  primary: fc.constantFrom('node-1', 'node-2', 'node-3'),
  follower: fc.constantFrom('node-1', 'node-2', 'node-3', null),
  state: fc.constantFrom(...shardStates),
});
const anyVerdict = fc.constantFrom<Verdict>('alive', 'failed', null);

test('nobody is promoted without being the follower in sync of a primary that two witnesses call failed and none alive', () => {
  fc.assert(
    fc.property(
      anyShard,
      fc.array(anyVerdict, { maxLength: 3 }),
      fc.array(anyVerdict, { minLength: 3, maxLength: 3 }),
      (part, said, verdicts) => {
        const witnesses = said.map((verdict, index) => witness(`agent ${index}`, verdict));
        const given = facts({
          shards: [shard(part)],
          witnessesOf: () => witnesses,
          verdicts: new Map(verdicts.map((verdict, index) => [`node-${index}`, verdict])),
        });
        const promotes = agentDuties(given).some((duty) => duty.kind === 'promote');
        const may =
          part.follower === 'node-2' &&
          part.state === 'in sync' &&
          said.filter((verdict) => verdict === 'failed').length >= 2 &&
          !said.includes('alive');
        expect(promotes && !may).toBe(false);
      },
    ),
  );
});

test('refused twice or unanswered thrice is failed, and one answer ends it', () => {
  const probe = (verdict: 'answers' | 'failing' | 'refused' | 'timed out') => ({ verdict, detail: verdict, tookMs: 1 });
  const after = (...verdicts: Parameters<typeof probe>[0][]) =>
    verdicts.reduce((seen, verdict, index) => afterProbe(seen, probe(verdict), index * 200), unprobed);
  expect(after('refused').verdict).toBeNull();
  expect(after('refused', 'refused').verdict).toBe('failed');
  expect(after('timed out', 'timed out').verdict).toBeNull();
  expect(after('timed out', 'timed out', 'timed out')).toMatchObject({ verdict: 'failed', silentSinceMs: 0 });
  expect(after('answers', 'timed out', 'refused', 'failing')).toMatchObject({ verdict: 'failed', silentSinceMs: 200 });
  expect(after('refused', 'refused', 'answers')).toMatchObject({ verdict: 'alive', failures: 0, silentSinceMs: null });
});
