import type { NodeSurvey } from '../../../core/registration/decide-owners';
import { decideRegistration } from '../../../core/registration/decide-registration';
import { firstShard, metaOf } from '../../../core/registration/member-items';
import { clusterSettings } from '../../support/cluster-settings';

const cluster = clusterSettings({
  layout: 'replicated',
  durability: 'asynchronous',
  nodes: Object.fromEntries(
    [1, 2, 3].map((number) => [
      `node-${number}`,
      { site: 'a', host: `node-${number}.internal`, machine: { kind: 'ec2', instanceId: `i-${number}` } },
    ]),
  ),
});

const primary = { standby: false, streaming: false };
const streams = { standby: true, streaming: true };
const waits = { standby: true, streaming: false };

function node(nodeId: string, replication: NodeSurvey['replication'], more: Partial<NodeSurvey> = {}): NodeSurvey {
  const schemas = [
    { schema: 'sales', tables: ['item', 'customer'] },
    { schema: 'public', tables: [] },
  ];
  return { nodeId, silence: null, schemas, shards: [], subscriptions: [], replication, refused: [], ...more };
}

const nodes = [node('node-1', streams), node('node-2', primary), node('node-3', streams)];

test('a primary that every other node streams from is one shard of all schemas with tables', () => {
  const { action, reason, shards } = decideRegistration(cluster, 'databases', nodes);
  expect(action).toBe('register');
  expect(reason).toBe('3 nodes answer; node-2 is the primary, and each other node receives a log');
  expect(shards).toEqual([
    { id: 'shard_0000', schemas: ['sales'], epoch: 1, primary: 'node-2', follower: null, served: false },
  ]);
  expect(shards.map(firstShard)).toMatchObject([{ follower: null, state: 'in sync', fence: null }]);
  expect(metaOf(cluster, shards)).toMatchObject({ layout: 'replicated', shardCount: 1, epoch: 1 });
});

test('an epoch that was there before is kept', () => {
  const held = [{ shard: 'shard_0000', epoch: 4, writable: true }];
  const facts = [node('node-1', streams), node('node-2', primary, { shards: held }), node('node-3', streams)];
  expect(decideRegistration(cluster, 'databases', facts).shards).toMatchObject([{ epoch: 4, served: true }]);
});

const refusals: readonly [
  string,
  readonly NodeSurvey[],
  Parameters<typeof decideRegistration>[1],
  readonly string[],
][] = [
  [
    'nobody is the primary',
    nodes.map(({ nodeId }) => node(nodeId, streams)),
    'databases',
    ['none of node-1, node-2, node-3 is a primary; promote one of them'],
  ],
  [
    'two are primaries and one waits, all at once',
    [node('node-1', primary), node('node-2', primary), node('node-3', waits)],
    'databases',
    [
      'node-3 is a standby that receives no log; let its primary_conninfo lead to the primary',
      'node-1, node-2 are primaries, and a replicated cluster has one',
    ],
  ],
  [
    'a standby receives nothing',
    [node('node-1', waits), node('node-2', primary), node('node-3', streams)],
    'databases',
    ['node-1 is a standby that receives no log'],
  ],
  [
    'a node is silent',
    [{ ...node('node-1', null), silence: 'refused, connection refused' }, ...nodes.slice(1)],
    'databases',
    ['node-1 does not answer: refused, connection refused'],
  ],
  [
    'there is nothing to write',
    nodes.map((each) => ({ ...each, schemas: [{ schema: 'public', tables: [] }] })),
    'databases',
    ['node-2, the primary, has no table; load the data first'],
  ],
  ['owners are dealt out', nodes, 'rule', ["'owners' is for sharded clusters; leave it out"]],
];

test.each(refusals)('is refused where %s', (_what, facts, owners, reasons) => {
  const decision = decideRegistration(cluster, owners, facts);
  expect(decision).toMatchObject({ action: 'refuse', shards: [] });
  for (const reason of reasons) {
    expect(decision.reason).toContain(reason);
  }
});
