import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRejoinError } from '../../../core/errors';
import { editorSchemaText } from '../../../lib/config/app-settings';
import { loadSettings, parseSettings } from '../../../lib/config/load';

const root = join(__dirname, '..', '..', '..');
const example = readFileSync(join(root, 'rejoin.example.yaml'), 'utf8');

/** The example with some of its text exchanged; each text must be there. */
function exampleWith(...exchanges: readonly (readonly [from: string, to: string])[]): string {
  return exchanges.reduce((text, [from, to]) => {
    if (!text.includes(from)) {
      throw new Error(`the example does not contain '${from}'`);
    }
    return text.replaceAll(from, to);
  }, example);
}

function problemsOf(text: string): string {
  try {
    parseSettings(text, 'rejoin.yaml');
  } catch (thrown) {
    expect(isRejoinError(thrown, 'InvalidSettings')).toBe(true);
    return (thrown as Error).message;
  }
  throw new Error('the settings were accepted');
}

/** `line:column` of an offset. */
function positionOf(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

test('the example is valid, without a warning, with defaults filled in', () => {
  const { settings, warnings } = loadSettings(join(root, 'rejoin.example.yaml'));
  expect(warnings).toEqual([]);
  expect(settings).toMatchObject({ removal: 'retain', workflows: { 'node-recovery': true, backup: true } });
  expect(settings.clusters['orders']).toMatchObject({ port: 5432, tls: 'verify-full', policy: { witnessesNeeded: 2 } });
});

test("the example names the editors' schema in its first line, and that schema is current", () => {
  expect(example.split('\n')[0]).toBe('# yaml-language-server: $schema=lib/config/rejoin.schema.json');
  expect(readFileSync(join(root, 'lib', 'config', 'rejoin.schema.json'), 'utf8')).toBe(editorSchemaText());
});

const syntax: readonly (readonly [what: string, text: string, problem: string])[] = [
  ['an empty file', '', 'rejoin.yaml is empty; begin with a copy of rejoin.example.yaml'],
  ['only comments', '# nothing\n', 'rejoin.yaml is empty'],
  ['only null', 'null\n', 'rejoin.yaml is empty'],
  ['text', 'hello', "rejoin.yaml:1:1: 'hello' can't be the settings; expected fields such as version"],
  ['a list', '- version: 1', "rejoin.yaml:1:1: a list can't be the settings"],
  ['a bracket left open', 'version: [1', 'rejoin.yaml:1:12: this is not YAML: '],
  ['a field given twice', 'version: 1\nversion: 1', 'rejoin.yaml:2:1: this field is given twice in the same group'],
  ['a tab', 'zone:\n\tid: Z1', "rejoin.yaml:2:1: tabs can't indent YAML; use spaces"],
  ['two documents', 'version: 1\n---\nversion: 1', 'there is more than one document in the file'],
  ['an alias to nothing', 'version: *one', 'rejoin.yaml'],
];

test.each(syntax)('%s is refused in a sentence', (_what, text, problem) => {
  expect(problemsOf(text)).toContain(problem);
});

const fields: readonly (readonly [what: string, from: string, to: string, at: string, problem: string])[] = [
  [
    'a misspelled value',
    'layout: sharded',
    'layout: shared',
    'shared',
    "clusters.orders.layout: 'shared' is not allowed; allowed: sharded, replicated; did you mean 'sharded'?",
  ],
  [
    'a misspelled field',
    'shardCount: 16',
    'shardsCount: 16',
    'shardsCount',
    'clusters.orders.shardsCount: unknown field; allowed in clusters.orders: engine, layout, shardCount',
  ],
  [
    'a misspelled field inside one of several shapes',
    'instanceId: i-00000000000000001',
    'instanceld: i-00000000000000001',
    'instanceld',
    "unknown field; allowed in clusters.orders.nodes.node-1.machine: kind, instanceId; did you mean 'instanceId'?",
  ],
  [
    'an unknown field at the top',
    'nodeRole: rejoin-node',
    'role: rejoin-node',
    'role: ',
    'role: unknown field; allowed at the top: version, account, region',
  ],
  [
    'an unknown kind of machine',
    'kind: rds, instanceIdentifier: invoices-1',
    'kind: rsd, instanceIdentifier: invoices-1',
    'rsd,',
    "'rsd' is not allowed; expected one of ec2, rds; did you mean 'rds'?",
  ],
  [
    'a number where text belongs',
    'database: orders',
    'database: 7',
    '7',
    'clusters.orders.database: 7 is not text; write it in quotes',
  ],
  [
    'text where a number belongs',
    'shardCount: 16',
    "shardCount: 'many'",
    "'many'",
    "clusters.orders.shardCount: 'many' is not a number",
  ],
  ['a fraction', 'shardCount: 16', 'shardCount: 1.5', '1.5', 'clusters.orders.shardCount: 1.5 is not a whole number'],
  [
    'a number out of bounds',
    'keepDays: 14',
    'keepDays: 9999',
    '9999',
    'clusters.orders.backup.keepDays: 9999 is too large; at most 365 is allowed',
  ],
  [
    'an account without quotes',
    "# account: '111122223333'",
    'account: 111122223333',
    '111122223333',
    'account: 111122223333 is not text; write it in quotes',
  ],
  [
    'a Region that is none',
    '# region: eu-central-1',
    'region: Frankfurt',
    'Frankfurt',
    "region: 'Frankfurt' does not fit; use the name of a Region",
  ],
  ['an address that is none', 'dba@example.com', 'dba', 'dba', "notify[0]: 'dba' does not fit; use an e-mail address"],
  ['another version', 'version: 1', 'version: 2', '2', 'version: 2 is not allowed; allowed: 1'],
  [
    'a name with capitals',
    '  orders:\n',
    '  Orders:\n',
    'Orders:',
    "clusters.Orders: 'Orders' can't be a name here; use 1 to 40 of a-z, 0-9 and -",
  ],
  [
    'a VPC id that is none',
    'vpc-0123456789abcdef0',
    'main',
    'main',
    "vpc.id: 'main' does not fit; use the id of a VPC",
  ],
];

test.each(fields)('%s is found where it stands', (_what, from, to, at, problem) => {
  const text = example.replace(from, to);
  expect(text).not.toBe(example);
  const found = problemsOf(text);
  expect(found).toContain(problem);
  expect(found).toContain(`rejoin.yaml:${positionOf(text, example.indexOf(from) + to.indexOf(at))}  `);
});

const manyNodes = Array.from(
  { length: 90 },
  (_, number) =>
    `      n${number}: { site: site-a, host: n${number}.db.example.com, machine: { kind: ec2, instanceId: i-0000000000000${1000 + number} } }\n`,
).join('');

const rules: readonly (readonly [what: string, exchanges: readonly (readonly [string, string])[], problem: string])[] =
  [
    [
      'endpoints to be created for nobody',
      [['endpoints: exists', 'endpoints: create']],
      'vpc.cidr: is missing; with endpoints: create, name the IPv4 range of the VPC',
    ],
    [
      'endpoints to be created without routes',
      [['endpoints: exists', 'endpoints: create\n  cidr: 10.0.0.0/16']],
      "vpc.routeTableIds: is missing; with endpoints: create, name the route tables of the sites' subnets",
    ],
    [
      'a site that does not exist',
      [['site: site-b\n        host: node-2.orders', 'site: siteb\n        host: node-2.orders']],
      "clusters.orders.nodes.node-2.site: there is no site 'siteb'; sites of this cluster: site-a, site-b; did you mean 'site-b'?",
    ],
    [
      'one node',
      [
        [
          example.slice(
            example.indexOf('      node-2:\n        site: site-b\n        host: node-2.invoices'),
            example.indexOf('    policy:'),
          ),
          '',
        ],
      ],
      'clusters.invoices.nodes: 1 node is given; at least 2 are needed, for each shard has two owners',
    ],
    [
      'RDS that shall be synchronous',
      [['durability: asynchronous', 'durability: synchronous']],
      "clusters.invoices.nodes.node-1.machine.kind: 'rds' is not allowed with durability 'synchronous'",
    ],
    [
      'too many shards a node',
      [['shardCount: 16', 'shardCount: 65']],
      '65 shards on 4 nodes are 17 primary shards a node; at most 16 are allowed',
    ],
    [
      'external promotion of shards',
      [['shardCount: 8', 'shardCount: 8\n    promotion: external']],
      "clusters.invoices.promotion: 'external' is not allowed with layout 'sharded'",
    ],
    [
      'no TLS over a network',
      [['shardCount: 8', 'shardCount: 8\n    tls: disabled']],
      "clusters.invoices.nodes.node-1.host: 'node-1.invoices.db.example.com' is reached over a network, and tls is 'disabled'",
    ],
    [
      'a host of two nodes',
      [['node-2.orders.db.example.com', 'node-1.orders.db.example.com']],
      "clusters.orders.nodes.node-2.host: 'node-1.orders.db.example.com:5432' is already that of node 'node-1' of cluster 'orders'",
    ],
    [
      'a machine of two nodes',
      [['i-00000000000000004', 'i-00000000000000003']],
      "nodes.node-4.machine.instanceId: 'i-00000000000000003' is already that of node 'node-3' of cluster 'orders'",
    ],
    [
      'backups that go before they are too old',
      [['keepDays: 14', 'keepDays: 3']],
      'backups are kept for 3 days and restored from for 7; keepDays must be at least maxAgeDays',
    ],
    [
      'a schedule that is none',
      [['cron(0 2 ? * SUN *)', 'every Sunday']],
      "clusters.orders.backup.fullSchedule: 'every Sunday' is not an EventBridge schedule",
    ],
    [
      'an instance id that is none',
      [['i-00000000000000001', 'node-one']],
      "machine.instanceId: 'node-one' does not fit; use an id such as i-0123456789abcdef0",
    ],
    [
      'a secret that would name every secret',
      [['orders/administrator', "'*'"]],
      "clusters.orders.secret: '*' does not fit; use the name of a secret, not its ARN",
    ],
    [
      'a host outside the zone',
      [['node-2.orders.db.example.com', 'node-2.orders.db.example.org']],
      "'node-2.orders.db.example.org' is not in the zone 'db.example.com', where its replacement gets its record",
    ],
    [
      'a site that no function can be named after',
      [['site-a', 'site:a']],
      "clusters.orders.sites.site:a: 'site:a' can't be the name of a site",
    ],
    [
      'an RDS identifier that is none',
      [['instanceIdentifier: invoices-1', 'instanceIdentifier: Invoices_1']],
      "'Invoices_1' does not fit; use the identifier of an RDS instance",
    ],
    [
      'two nodes whose executions would have one name',
      [
        [
          '      node-2:\n        site: site-b\n        host: node-2.orders',
          '      x-n:\n        site: site-b\n        host: node-2.orders',
        ],
        ['  invoices:', '  orders-x:'],
        [
          '      node-1:\n        site: site-a\n        host: node-1.invoices',
          '      n:\n        site: site-a\n        host: node-1.invoices',
        ],
      ],
      "clusters.orders-x.nodes.n: 'orders-x-n' is already that of node 'x-n' of cluster 'orders'",
    ],
    [
      'more settings than fit a parameter',
      [
        [
          '      node-4:\n        site: site-b\n        host: node-4.orders',
          `${manyNodes}      node-4:\n        site: site-b\n        host: node-4.orders`,
        ],
      ],
      'and a parameter of Systems Manager holds 8128; make two clusters of it',
    ],
    [
      'EC2 without a launch template',
      [['    launchTemplate: lt-0123456789abcdef0\n', '']],
      'clusters.orders.launchTemplate: is missing; a cluster with EC2 nodes needs the launch template',
    ],
    [
      'EC2 without a role',
      [['nodeRole: rejoin-node\n', '']],
      'nodeRole: is missing; clusters with EC2 nodes need the role of their instance profile',
    ],
    [
      'the name of a replacement',
      [
        [
          '      node-2:\n        site: site-b\n        host: node-2.orders',
          '      node-1-r1:\n        site: site-b\n        host: node-2.orders',
        ],
      ],
      "'node-1-r1' is the name that a replacement of node 'node-1' gets",
    ],
    [
      'a site with two subnets',
      [
        [
          example.slice(example.indexOf('invoices/administrator')),
          example.slice(example.indexOf('invoices/administrator')).replace('0bbbbbbbbbbbbbbbb', '0cccccccccccccccc'),
        ],
      ],
      "site 'site-b' is subnet-0cccccccccccccccc here and subnet-0bbbbbbbbbbbbbbbb in cluster 'orders'",
    ],
    [
      'no cluster',
      [[example.slice(example.indexOf('clusters:')), 'clusters: {}\n']],
      'clusters: no cluster is given; describe at least one',
    ],
  ];

test.each(rules)('%s is refused', (_what, exchanges, problem) => {
  expect(problemsOf(exampleWith(...exchanges))).toContain(problem);
});

/** The cluster that the example has as a comment. */
const withReplicated = example.replace(/^ {2}# (ledger:| {2}.*)$/gm, '  $1');

test("the example's replicated cluster is valid, and is one shard without saying so", () => {
  const { settings, warnings } = parseSettings(withReplicated, 'rejoin.yaml');
  expect(warnings).toEqual([]);
  expect(settings.clusters['ledger']).toMatchObject({ layout: 'replicated', shardCount: 1, promotion: 'rejoin' });
  expect(settings.clusters['orders']).toMatchObject({ shardCount: 16 });
});

test('somebody else may promote in a replicated cluster', () => {
  const text = withReplicated.replace('# promotion: external', 'promotion: external');
  expect(parseSettings(text, 'rejoin.yaml').settings.clusters['ledger']).toMatchObject({ promotion: 'external' });
});

const replicatedRules: readonly (readonly [what: string, from: string, to: string, problem: string])[] = [
  [
    'commits that wait',
    'durability: asynchronous\n    # promotion',
    'durability: synchronous\n    # promotion',
    "clusters.ledger.durability: 'synchronous' is not allowed with layout 'replicated'",
  ],
  [
    'a durability that is left out',
    '    durability: asynchronous\n    # promotion',
    '    # promotion',
    'promotion is by measured loss, at most policy.maxLossBytes; set durability: asynchronous',
  ],
  [
    'shards',
    'database: ledger',
    'database: ledger\n    shardCount: 16',
    "clusters.ledger.shardCount: 16 shards are not allowed with layout 'replicated'",
  ],
  [
    'an RDS instance',
    'kind: ec2, instanceId: i-00000000000000012',
    'kind: rds, instanceIdentifier: ledger-2',
    "clusters.ledger.nodes.node-2.machine.kind: 'rds' is not allowed with layout 'replicated': RDS replaces replicas",
  ],
  [
    'a node alone',
    withReplicated.slice(withReplicated.indexOf('      node-2:\n        site: site-b\n        host: node-2.ledger')),
    '',
    'clusters.ledger.nodes: 1 node is given; at least 2 are needed, for one must survive',
  ],
];

test.each(replicatedRules)('a replicated cluster with %s is refused', (_what, from, to, problem) => {
  expect(withReplicated).toContain(from);
  const found = problemsOf(withReplicated.replace(from, to));
  expect(found).toContain(problem);
  expect(found).toContain('has 1 problem:');
});

test('all problems are named at once, in the order of their lines', () => {
  const [head, ...found] = problemsOf(
    exampleWith(['keepDays: 14', 'keepDays: 3'], ['dba@example.com', 'dba'], ['kind: rds', 'kind: rsd']),
  ).split('\n');
  expect(head).toBe('rejoin.yaml has 4 problems:');
  const linesOfProblems = found.map((problem) => Number(problem.split(':')[1]));
  expect(linesOfProblems).toEqual(linesOfProblems.toSorted((a, b) => a - b));
  expect(new Set(linesOfProblems).size).toBe(4);
});

test('one site, and recovery without backups, are warnings', () => {
  const { warnings } = parseSettings(
    exampleWith(['site: site-b', 'site: site-a'], ['backup: true', 'backup: false']),
    'rejoin.yaml',
  );
  expect(warnings).toHaveLength(4);
  expect(warnings[0]).toMatch(/^rejoin.yaml:\d+:5 {2}clusters.orders.sites: all nodes are at one site/);
  expect(warnings[1]).toContain("workflow 'backup' is off, so a node is restored from the surviving owners alone");
});

test('a laptop needs no ids of AWS', () => {
  const text = exampleWith(
    ['durability: synchronous', 'durability: synchronous\n    tls: disabled'],
    ['    launchTemplate: lt-0123456789abcdef0\n', ''],
    ['i-0000000000000000', 'machine-'],
    ...[1, 2, 3, 4].map((number) => [`node-${number}.orders.db.example.com`, `127.0.0.${number}`] as const),
  );
  expect(parseSettings(text, 'rejoin.yaml').warnings).toEqual([]);
});

describe('a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rejoin-config-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test('that is not there is named, with what to do', () => {
    expect(() => loadSettings(join(folder, 'rejoin.yaml'))).toThrow(
      `there is no file ${join(folder, 'rejoin.yaml')}; copy rejoin.example.yaml to rejoin.yaml and fill it in`,
    );
  });

  test('that is a folder is refused', () => {
    expect(() => loadSettings(folder)).toThrow(`${folder} is not a file`);
  });

  test('that is not UTF-8 is refused', () => {
    writeFileSync(join(folder, 'rejoin.yaml'), Buffer.from([0x76, 0xff, 0xfe]));
    expect(() => loadSettings(join(folder, 'rejoin.yaml'))).toThrow('is not UTF-8 text; save it as UTF-8');
  });

  test('that is too large is refused', () => {
    writeFileSync(join(folder, 'rejoin.yaml'), Buffer.alloc(1_048_577, '#'));
    expect(() => loadSettings(join(folder, 'rejoin.yaml'))).toThrow('has 1048577 bytes; at most 1048576 are read');
  });

  test('with a byte order mark and Windows line ends is read', () => {
    writeFileSync(join(folder, 'rejoin.yaml'), `\uFEFF${example.replaceAll('\n', '\r\n')}`);
    expect(Object.keys(loadSettings(join(folder, 'rejoin.yaml')).settings.clusters)).toEqual(['orders', 'invoices']);
  });
});
