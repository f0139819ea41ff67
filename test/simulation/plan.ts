import type { ClusterSettings } from '../../core/cluster/settings';
import { Prng } from './prng';

export type Layout = ClusterSettings['layout'];

/** Which ports a throttle is about: those of one service fail together. */
export const services = ['registry', 'databases', 'api'] as const;
export type Service = (typeof services)[number];

/** `replacement`: the newest node that took somebody's place, or is to take it. */
export type NodeName = 'node-1' | 'node-2' | 'node-3' | 'node-4' | 'replacement';

/**
 * Something that goes wrong. `at` counts the calls of ports by steps that change something, over all executions of a run,
 * from 1; 0: before anybody is called.
 */
export type Fault =
  /** The process of the step that makes the call ends, before or after the effect. */
  | { readonly kind: 'kill step'; readonly at: number; readonly when: 'before' | 'after' }
  /** A service answers nobody, for so many calls. */
  | { readonly kind: 'throttle'; readonly at: number; readonly service: Service; readonly calls: number }
  /** The effect comes so much later. A step whose time is over by then is gone; the effect comes all the same. */
  | { readonly kind: 'slow call'; readonly at: number; readonly delayMs: number }
  /** The step ends as it should, and the state machine never hears of it. */
  | { readonly kind: 'answer lost'; readonly at: number }
  | { readonly kind: 'node dies'; readonly at: number; readonly node: NodeName }
  /** Nobody reaches it but its own clients and those who replicate with it. */
  | { readonly kind: 'node is cut off'; readonly at: number; readonly node: NodeName }
  | { readonly kind: 'node comes back'; readonly at: number; readonly node: NodeName }
  | { readonly kind: 'replication stops'; readonly at: number; readonly node: NodeName }
  | { readonly kind: 'replication goes on'; readonly at: number; readonly node: NodeName }
  | { readonly kind: 'slots are lost'; readonly at: number; readonly node: NodeName }
  /** The machine never gets from stopping to stopped. */
  | { readonly kind: 'machine hangs'; readonly at: number; readonly node: NodeName }
  | { readonly kind: 'no capacity'; readonly at: number; readonly site: 'a' | 'b' }
  /** A late or doubled event: another execution for the same node. */
  | { readonly kind: 'second execution'; readonly at: number }
  | { readonly kind: 'execution stopped'; readonly at: number }
  /** Somebody else holds the cluster's lease for so long, with a higher epoch. */
  | { readonly kind: 'lease taken away'; readonly at: number; readonly forMs: number }
  /** A command fails on its machine. */
  | { readonly kind: 'command fails'; readonly at: number; readonly command: 'restore-volume' | 'start-database' };

export type FaultKind = Fault['kind'];

/** What happened to the node before anybody was called. */
export const beginnings = ['dead', 'cut off', 'alive', 'planned'] as const;
export type Beginning = (typeof beginnings)[number];

/** Everything that a seed decides about one run, but for what its clients write. */
export interface Plan {
  readonly seed: number;
  readonly layout: Layout;
  readonly shards: number;
  readonly durability: 'synchronous' | 'asynchronous';
  readonly snapshot: boolean;
  readonly victim: Exclude<NodeName, 'replacement'>;
  readonly beginning: Beginning;
  /** How likely each living node's agent looks around before a step; 0: agents only say what they see. */
  readonly agentShare: number;
  /** Whether agents took over before the workflow began. */
  readonly agentsFirst: boolean;
  /** Writes of clients before each step, and how likely one more is at each call of a port. */
  readonly writesPerStep: number;
  readonly writeShare: number;
  /** How likely a call of a port takes some milliseconds, in which others go on. */
  readonly latencyShare: number;
  readonly faults: readonly Fault[];
}

/** Most recoveries make fewer changes; a fault that comes later than the last one never comes. */
const usualCalls = 120;

const nodeNames = ['node-1', 'node-2', 'node-3', 'node-4'] as const;

/** Draws a run. Each has its own mix and its own number of faults: most faults need others to be absent to matter. */
export function drawPlan(seed: number, layouts: readonly Layout[]): Plan {
  const random = new Prng(seed);
  const world = random.fork('world');
  const layout = layouts.length > 1 && world.chance(0.25) ? 'replicated' : (layouts[0] ?? 'sharded');
  const synchronous = layout === 'sharded' && world.chance(0.7);
  const beginning = world.pick(['dead', 'dead', 'dead', 'dead', 'cut off', 'cut off', 'alive', 'planned'] as const);
  return {
    seed,
    layout,
    shards: layout === 'replicated' ? 1 : world.between(2, 4),
    durability: synchronous ? 'synchronous' : 'asynchronous',
    snapshot: world.chance(0.6),
    victim: world.pick(nodeNames),
    beginning,
    agentShare: world.pick([0, 0.05, 0.3]),
    agentsFirst: world.chance(0.5),
    writesPerStep: world.pick([0, 1, 4]),
    writeShare: world.pick([0, 0.05, 0.3]),
    latencyShare: world.pick([0, 0.05, 0.3]),
    faults: drawFaults(random.fork('faults')),
  };
}

function drawFaults(random: Prng): readonly Fault[] {
  const kinds = faultKinds.filter(() => random.chance(0.35));
  // Steps die and calls are late at any moment, so they take part in more runs than what happens once.
  kinds.push(...ofSteps.filter(() => random.chance(0.5)));
  if (kinds.length === 0) {
    return [];
  }
  const count = random.pick([0, 1, 2, 3, 5, 8, 13]);
  const faults = Array.from({ length: count }, () => drawFault(random.pick(kinds), random));
  return faults.flat().sort((left, right) => left.at - right.at);
}

const draws: { readonly [Kind in FaultKind]: (at: number, random: Prng) => Extract<Fault, { kind: Kind }> } = {
  'kill step': (at, random) => ({ kind: 'kill step', at, when: random.pick(['before', 'after']) }),
  throttle: (at, random) => ({
    kind: 'throttle',
    at,
    service: random.pick(services),
    calls: random.pick([1, 2, 5, 30]),
  }),
  'slow call': (at, random) => ({ kind: 'slow call', at, delayMs: random.pick([500, 5_000, 20_000, 70_000, 400_000]) }),
  'answer lost': (at) => ({ kind: 'answer lost', at }),
  'node dies': (at, random) => ({ kind: 'node dies', at, node: anyNode(random) }),
  'node is cut off': (at, random) => ({ kind: 'node is cut off', at, node: anyNode(random) }),
  'node comes back': (at, random) => ({ kind: 'node comes back', at, node: anyNode(random) }),
  'replication stops': (at, random) => ({ kind: 'replication stops', at, node: anyNode(random) }),
  'replication goes on': (at, random) => ({ kind: 'replication goes on', at, node: anyNode(random) }),
  'slots are lost': (at, random) => ({ kind: 'slots are lost', at, node: anyNode(random) }),
  'machine hangs': (at, random) => ({ kind: 'machine hangs', at, node: anyNode(random) }),
  'no capacity': (at, random) => ({ kind: 'no capacity', at, site: random.pick(['a', 'b']) }),
  'second execution': (at) => ({ kind: 'second execution', at }),
  'execution stopped': (at) => ({ kind: 'execution stopped', at }),
  'lease taken away': (at, random) => ({
    kind: 'lease taken away',
    at,
    forMs: random.pick([1_000, 60_000, 600_000]),
  }),
  'command fails': (at, random) => ({
    kind: 'command fails',
    at,
    command: random.pick(['restore-volume', 'start-database']),
  }),
};

export const faultKinds = Object.keys(draws) as readonly FaultKind[];

const ofSteps: readonly FaultKind[] = ['kill step', 'slow call', 'kill step', 'slow call', 'throttle'];

/** A node that goes usually comes back, and what stops goes on: otherwise every later part of a run is about one fault. */
const ends: Partial<Record<FaultKind, 'node comes back' | 'replication goes on'>> = {
  'node dies': 'node comes back',
  'node is cut off': 'node comes back',
  'replication stops': 'replication goes on',
};

/** What may have gone wrong before. */
const earlyKinds: readonly FaultKind[] = [
  'node dies',
  'node is cut off',
  'replication stops',
  'slots are lost',
  'machine hangs',
  'no capacity',
];

function drawFault(kind: FaultKind, random: Prng): readonly Fault[] {
  const early = earlyKinds.includes(kind) && random.chance(0.2);
  const at = early ? 0 : random.between(1, random.pick([20, usualCalls]));
  const fault = draws[kind](at, random);
  const end = ends[kind];
  return end === undefined || !('node' in fault) || random.chance(0.4)
    ? [fault]
    : [fault, { kind: end, at: at + random.between(1, 60), node: fault.node }];
}

function anyNode(random: Prng): NodeName {
  return random.pick([...nodeNames, 'replacement', 'replacement']);
}

/** A fault in words, for the reports of what was found. */
export function inWords(fault: Fault): string {
  const { kind, at, ...detail } = fault;
  const rest = Object.entries(detail).map(([name, value]) => `${name} ${value}`);
  return [`${at === 0 ? 'before' : `change ${at}`}: ${kind}`, ...rest].join(', ');
}
