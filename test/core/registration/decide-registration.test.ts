import fc from 'fast-check';
import { clusterSettingsSchema, type ClusterSettings } from '../../../core/cluster/settings';
import { nodesOf } from '../../../core/registration/compare-registered';
import type { NodeSurvey } from '../../../core/registration/decide-owners';
import { decideByRegistry, decideRegistration } from '../../../core/registration/decide-registration';
import { firstShard, memberChanges, metaOf } from '../../../core/registration/member-items';
import { ownersByRule, shardIds } from '../../../core/registration/owners';

function clusterWith(shardCount: number, nodes = 4): ClusterSettings {
  const given = {
    layout: 'sharded',
    shardCount,
    database: 'orders',
    secret: 'orders',
    sites: { a: { subnetId: 'subnet-a' } },
    nodes: Object.fromEntries(
      Array.from({ length: nodes }, (_, index) => [
        `node-${index + 1}`,
        { site: 'a', host: `node-${index + 1}.internal`, machine: { kind: 'ec2', instanceId: `i-${index + 1}` } },
      ]),
    ),
  };
  return { ...clusterSettingsSchema.parse(given), name: 'orders' };
}

/** A node that holds the schemas of these shards, one table each. */
function holding(nodeId: string, shards: readonly string[], more: Partial<NodeSurvey> = {}): NodeSurvey {
  const schemas = shards.map((schema) => ({ schema, tables: ['item'] }));
  return { nodeId, silence: null, schemas, shards: [], subscriptions: [], replication: null, refused: [], ...more };
}

/** Every shard on its two owners by the rule. */
function spread(shardCount: number, nodes: number): NodeSurvey[] {
  return Array.from({ length: nodes }, (_, node) =>
    holding(
      `node-${node + 1}`,
      shardIds(shardCount).filter((_id, shard) => Object.values(ownersByRule(shard, nodes)).includes(node)),
    ),
  );
}

const [zero, one] = ['shard_0000', 'shard_0001'] as const;
const cluster = clusterWith(2, 3);
const nodes = [holding('node-1', [zero, one]), holding('node-2', [zero]), holding('node-3', [one])];

test('two nodes that hold a shard are its owners, and primaries are spread', () => {
  const { action, shards } = decideRegistration(cluster, 'databases', nodes);
  expect(action).toBe('register');
  expect(shards).toMatchObject([
    { id: zero, schemas: [zero], epoch: 1, primary: 'node-1', follower: 'node-2', served: false },
    { id: one, primary: 'node-3', follower: 'node-1' },
  ]);
});

test('whoever accepts the writes is the primary, at the epoch that it was left at', () => {
  const open = { shard: zero, epoch: 7, writable: true };
  const closed = { shard: zero, epoch: 6, writable: false };
  const [first, second, third] = nodes as [NodeSurvey, NodeSurvey, NodeSurvey];
  const facts = [{ ...first, shards: [closed], subscriptions: ['s0000e7'] }, { ...second, shards: [open] }, third];
  const { shards } = decideRegistration(cluster, 'databases', facts);
  expect(shards[0]).toMatchObject({ epoch: 7, primary: 'node-2', follower: 'node-1', served: true });
  expect(metaOf(cluster, shards).epoch).toBe(7);
});

test('a registration that was cut off goes on with the roles that it gave', () => {
  const closed = { shard: zero, epoch: 1, writable: false };
  const [first, second, third] = nodes as [NodeSurvey, NodeSurvey, NodeSurvey];
  const facts = [{ ...first, shards: [closed], subscriptions: ['s0000e1'] }, { ...second, shards: [closed] }, third];
  const { shards } = decideRegistration(cluster, 'databases', facts);
  expect(shards[0]).toMatchObject({ primary: 'node-2', follower: 'node-1', served: false });
});

const refusals: readonly [string, NodeSurvey[], Parameters<typeof decideRegistration>[1], string][] = [
  [
    'a node is silent',
    nodes.map((node) => (node.nodeId === 'node-2' ? { ...node, silence: 'timed out, no answer' } : node)),
    'databases',
    'node-2 does not answer: timed out, no answer',
  ],
  [
    'nobody holds a shard',
    nodes.map(({ nodeId }) => holding(nodeId, [one])).slice(0, 2),
    'databases',
    'no node holds shard_0000; load its tables (schema shard_0000) with equal rows into two nodes',
  ],
  ['one holds a shard', nodes.filter(({ nodeId }) => nodeId !== 'node-2'), 'databases', 'only node-1 holds shard_0000'],
  [
    'three hold a shard',
    nodes.map(({ nodeId }) => holding(nodeId, [zero, one])),
    'databases',
    'node-1, node-2, node-3 hold shard_0000, and a shard has two owners',
  ],
  [
    'tables differ',
    nodes.map((node) =>
      node.nodeId === 'node-2' ? { ...node, schemas: [{ schema: zero, tables: ['item', 'extra'] }] } : node,
    ),
    'databases',
    'shard_0000 has other tables on node-1 than on node-2: shard_0000.extra',
  ],
  [
    'somebody else replicates',
    nodes.map((node) => ({ ...node, subscriptions: node.nodeId === 'node-3' ? ['theirs'] : [] })),
    'databases',
    "node-3 has the subscription 'theirs', which is not Rejoin's; drop it",
  ],
  [
    'both accept writes',
    nodes.map((node) => ({ ...node, shards: [{ shard: zero, epoch: 1, writable: true }] })),
    'databases',
    'node-1 and node-2 both accept writes of shard_0000',
  ],
  [
    'a table has no key',
    nodes.map((node) => ({ ...node, refused: node.nodeId === 'node-1' ? ['orders has no primary key'] : [] })),
    'databases',
    'node-1: orders has no primary key',
  ],
  [
    'the input forgets a shard',
    nodes,
    { [zero]: { primary: 'node-1', follower: 'node-2' } },
    "'owners' names nobody for shard_0001",
  ],
  [
    'the input names another owner',
    nodes,
    { [zero]: { primary: 'node-1', follower: 'node-3' }, [one]: { primary: 'node-1', follower: 'node-3' } },
    "'owners' gives shard_0000 to node-1 and node-3, but node-1 and node-2 hold it",
  ],
  [
    'the input names a shard that there is not',
    nodes,
    {
      [zero]: { primary: 'node-1', follower: 'node-2' },
      [one]: { primary: 'node-1', follower: 'node-3' },
      shard_0009: { primary: 'node-1', follower: 'node-2' },
    },
    "'owners' names shard_0009, and the shards are shard_0000 to shard_0001",
  ],
];

test.each(refusals)('is refused where %s', (_what, facts, owners, reason) => {
  const decision = decideRegistration(cluster, owners, facts);
  expect(decision).toMatchObject({ action: 'refuse', shards: [] });
  expect(decision.reason).toContain(reason);
});

test('the rule is taken only where the rows are', () => {
  expect(decideRegistration(clusterWith(16), 'rule', spread(16, 4)).action).toBe('register');
  expect(decideRegistration(cluster, 'rule', nodes).reason).toContain("'owners' gives");
});

describe('a cluster that is registered', () => {
  const { shards } = decideRegistration(cluster, 'databases', nodes);
  const registered = { meta: metaOf(cluster, shards), nodes: nodesOf(cluster), shards: shards.map(firstShard) };

  test('needs no action, also after a recovery', () => {
    expect(decideByRegistry(cluster, 'databases', registered)?.action).toBe('none');
    const after = registered.nodes.map((node) => ({ ...node, state: 'retired' as const }));
    const moved = registered.shards.map((shard) => ({ ...shard, epoch: 9, primary: 'node-1-r1' }));
    expect(decideByRegistry(cluster, 'rule', { ...registered, nodes: after, shards: moved })?.action).toBe('none');
  });

  test('is refused with something else', () => {
    const other: ClusterSettings = { ...cluster, shardCount: 16, port: 6432 };
    const reason = decideByRegistry(other, 'databases', registered)?.reason;
    expect(reason).toContain('shardCount is 2 in the registry and 16 in rejoin.yaml');
    expect(reason).toContain('port of node-1 is 5432 in the registry and 6432 in rejoin.yaml');
    const owners = { [zero]: { primary: 'node-2', follower: 'node-1' } };
    expect(decideByRegistry(cluster, owners, registered)?.reason).toContain(
      'shard_0000 is owned by node-1 and node-2 in the registry',
    );
  });

  test('asks the databases where there is none', () => {
    expect(decideByRegistry(cluster, 'databases', null)).toBeNull();
  });
});

test('every shard gets two different owners that hold it, and primaries differ by at most a few', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 48 }), fc.integer({ min: 3, max: 8 }), (shardCount, count) => {
      const surveyed = spread(shardCount, count);
      const { action, shards } = decideRegistration(clusterWith(shardCount, count), 'databases', surveyed);
      expect(action).toBe('register');
      for (const { id, primary, follower } of shards) {
        const holders = surveyed.filter(({ schemas }) => schemas.some(({ schema }) => schema === id));
        expect([primary, follower].sort()).toEqual(holders.map(({ nodeId }) => nodeId).sort());
      }
      const primaries = surveyed.map(({ nodeId }) => shards.filter(({ primary }) => primary === nodeId).length);
      expect(Math.max(...primaries) - Math.min(...primaries)).toBeLessThanOrEqual(3);
    }),
  );
});

test('more items than a registry writes at once go in batches, none twice', () => {
  const settings = clusterWith(48, 8);
  const { shards } = decideRegistration(settings, 'databases', spread(48, 8));
  const many = Array.from({ length: 5 }, (_, run) =>
    shards.map((shard, index) => ({ ...shard, id: `shard_${String(run * 48 + index).padStart(4, '0')}` })),
  ).flat();
  const batches = memberChanges(settings, many);
  expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(100);
  expect(new Set(batches.flat().map(({ key }) => key.sk)).size).toBe(8 + 240);
});
