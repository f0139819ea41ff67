import { parseRehearseArguments, rehearseHelp, rehearseList } from '../../../local/command/rehearse-options';
import { scenarios } from '../../../local/scenarios/scenarios';

const parse = (...argv: string[]) => parseRehearseArguments(argv, scenarios);

test('without arguments the main scenario runs with its defaults', () => {
  expect(parse()).toMatchObject({
    kind: 'run',
    scenario: { name: 'node-recovery' },
    json: false,
    options: {
      rows: 400_000,
      shards: 16,
      nodes: 4,
      requestsPerSecond: 300,
      dump: null,
      fault: 'kill',
      machines: 'ec2',
      durability: 'synchronous',
      ablate: [],
      seed: 1,
      keep: false,
    },
  });
});

test('nodes on RDS are asynchronous, for they can be nothing else; others are what they are told', () => {
  expect(parse('--machines', 'rds')).toMatchObject({ options: { machines: 'rds', durability: 'asynchronous' } });
  expect(parse('--durability', 'asynchronous')).toMatchObject({
    options: { machines: 'ec2', durability: 'asynchronous' },
  });
});

test('a replicated cluster has three nodes, one shard, and commits that wait for nobody', () => {
  expect(parse('--layout', 'replicated')).toMatchObject({
    options: { layout: 'replicated', nodes: 3, shards: 1, machines: 'ec2', durability: 'asynchronous', fault: 'kill' },
  });
  expect(parse('--layout', 'replicated', '--nodes', '5', '--fault', 'no-snapshot')).toMatchObject({
    options: { nodes: 5, fault: 'no-snapshot' },
  });
  expect(parse('--layout', 'replicated', '--fault', 'kill-standby')).toMatchObject({
    options: { fault: 'kill-standby' },
  });
});

test('every argument arrives', () => {
  expect(
    parse(
      'node-recovery',
      '--rows',
      '5000',
      '--fault',
      'zombie',
      '--ablate',
      'passes',
      '--seed',
      '7',
      '--keep',
      '--json',
    ),
  ).toMatchObject({
    json: true,
    options: { rows: 5_000, fault: 'zombie', ablate: ['passes'], seed: 7, keep: true },
  });
});

test('a dump is run on, with other options', () => {
  expect(parse('--dump', 'shop.sql', '--rate', '50')).toMatchObject({
    options: { dump: 'shop.sql', requestsPerSecond: 50 },
  });
});

test.each([
  [['--dump', 'a.sql', '--rows', '5000', '--shards', '2'], "--rows and --shards can't be given with --dump"],
  [['--dump', ''], "--dump takes the path of a file, got ''"],
  [['--rows', '12'], "--rows takes a whole number from 1000 to 20000000, got '12'"],
  [['--rate', '1e3'], "--rate takes a whole number from 1 to 5000, got '1e3'"],
  [['--nodes', '2'], "--nodes takes a whole number from 3 to 8, got '2'"],
  [['--fault', 'kil'], /^--fault 'kil' is not known; known: kill, false-alarm, /],
  [['--ablate', 'fence'], "--ablate 'fence' is not known; known: passes, node-filter"],
  [['node-recover'], "scenario 'node-recover' is not known; known: node-recovery"],
  [['node-recovery', 'more'], "one scenario at a time: 'more' is too much"],
  [
    ['--machines', 'rds', '--durability', 'synchronous'],
    /^--durability synchronous is not possible with --machines rds/,
  ],
  [['--machines', 'rds', '--fault', 'one-witness'], "--fault one-witness is for --machines ec2, got 'rds'"],
  [['--fault', 'no-stop'], "--fault no-stop is for --machines rds, got 'ec2'"],
  [['--machines', 'vm'], "--machines 'vm' is not known; known: ec2, rds"],
  [['--layout', 'both'], "--layout 'both' is not known; known: sharded, replicated"],
  [
    ['--layout', 'replicated', '--machines', 'rds'],
    "--machines rds can't be given with --layout replicated: RDS replaces replicas by itself",
  ],
  [
    ['--layout', 'replicated', '--shards', '4'],
    "--shards can't be given with --layout replicated: each node holds all rows, so there is one shard",
  ],
  [['--layout', 'replicated', '--dump', 'a.sql'], "--dump can't be given with --layout replicated: a dump is there"],
  [['--layout', 'replicated', '--ablate', 'passes'], "--ablate can't be given with --layout replicated: nothing is"],
  [
    ['--layout', 'replicated', '--durability', 'synchronous'],
    '--durability synchronous is not possible with --layout replicated: promotion is by measured loss',
  ],
  [
    ['--layout', 'replicated', '--fault', 'slot-lost'],
    /^--fault slot-lost can't happen with --layout replicated; there: kill, false-alarm, .*kill-standby, planned-standby$/,
  ],
  [['--fault', 'kill-standby'], /^--fault kill-standby can't happen with --layout sharded; there: kill, /],
  [['--rowz', '5'], /^Unknown option '--rowz'/],
])('%j is refused in a sentence', (argv, message) => {
  expect(() => parse(...argv)).toThrow(message);
});

test('the help and the list name every fault and every option', () => {
  expect(rehearseHelp(scenarios)).toMatch(
    /--fault[\s\S]*--ablate[\s\S]*--dump[\s\S]*--rows[\s\S]*--seed[\s\S]*--keep[\s\S]*--json/,
  );
  for (const { name } of scenarios.flatMap((scenario) => [...scenario.faults, ...scenario.ablations])) {
    expect(rehearseList(scenarios)).toContain(name);
  }
});
