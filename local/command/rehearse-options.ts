import { parseArgs } from 'node:util';
import { messageOf, RejoinError } from '../../core/errors';
import {
  durabilities,
  layouts,
  machineKinds,
  type Durability,
  type Fault,
  type Layout,
  type MachineKind,
  type RehearsalOptions,
  type Scenario,
} from '../scenarios/scenario';

/** What `rejoin rehearse …` was asked to do. */
export type RehearseRequest =
  | { readonly kind: 'help' }
  | { readonly kind: 'list' }
  | { readonly kind: 'run'; readonly scenario: Scenario; readonly options: RehearsalOptions; readonly json: boolean };

const flags = {
  help: { type: 'boolean', short: 'h' },
  list: { type: 'boolean' },
  json: { type: 'boolean' },
  keep: { type: 'boolean' },
  dump: { type: 'string' },
  rows: { type: 'string' },
  shards: { type: 'string' },
  nodes: { type: 'string' },
  rate: { type: 'string' },
  seed: { type: 'string' },
  fault: { type: 'string' },
  layout: { type: 'string' },
  machines: { type: 'string' },
  durability: { type: 'string' },
  ablate: { type: 'string', multiple: true },
} as const;

const limits = {
  rows: { least: 1_000, most: 20_000_000, otherwise: 400_000 },
  shards: { least: 1, most: 64, otherwise: 16 },
  nodes: { least: 3, most: 8, otherwise: 4 },
  rate: { least: 1, most: 5_000, otherwise: 300 },
  seed: { least: 0, most: 2 ** 31 - 1, otherwise: 1 },
} as const;
const replicatedNodes = 3;

/** @throws InvalidInput, naming the argument, what was given and what is allowed */
export function parseRehearseArguments(argv: readonly string[], scenarios: readonly Scenario[]): RehearseRequest {
  const { values, positionals } = parse(argv);
  if (values.help === true) {
    return { kind: 'help' };
  }
  if (values.list === true) {
    return { kind: 'list' };
  }
  const scenario = choose('scenario', positionals[0] ?? 'node-recovery', scenarios);
  if (positionals.length > 1) {
    throw new RejoinError('InvalidInput', `one scenario at a time: '${positionals.slice(1).join(' ')}' is too much`);
  }
  const layout = chosenLayout(values);
  const fault = faultOf(values.fault ?? 'kill', layout, scenario);
  return {
    kind: 'run',
    scenario,
    json: values.json ?? false,
    options: {
      dump: dumpFile(values),
      rows: whole('rows', values.rows),
      shards: layout === 'replicated' ? 1 : whole('shards', values.shards),
      nodes: whole('nodes', values.nodes ?? (layout === 'replicated' ? String(replicatedNodes) : undefined)),
      requestsPerSecond: whole('rate', values.rate),
      seed: whole('seed', values.seed),
      fault: fault.name,
      layout,
      ...servers(values, layout, fault),
      ablate: (values.ablate ?? []).map((name) => choose('--ablate', name, scenario.ablations).name),
      keep: values.keep ?? false,
    },
  };
}

/** How the command is used. */
export function rehearseHelp(scenarios: readonly Scenario[]): string {
  const node = scenarios[0];
  return `rejoin rehearse [scenario] [options]

Runs a deployed workflow on this computer, on real database servers, while a load writes and something goes wrong, and
checks the result from the databases themselves. Needs Node.js only. Ends with 0 only when every check held.

Scenarios
${scenarios.map((scenario) => `  ${scenario.name.padEnd(16)}${scenario.summary}`).join('\n')}

Options
  --fault NAME    what goes wrong (default kill; --list shows all)
  --ablate NAME   leave a safeguard out and see what it is good for: ${node?.ablations.map((ablation) => ablation.name).join(', ') ?? ''}
  --dump FILE     run on your own data: a plain SQL dump of one database, as pg_dump writes it (docs/own-data.md)
  --layout L      sharded (default): each shard has two owners; replicated: each node holds all rows
  --machines KIND what the nodes run on: ec2 (default), or rds, whose agents run beside the instances
  --durability D  synchronous (default on ec2), or asynchronous (rds and replicated always): commits wait for nobody
  --rows N        rows to begin with (${limits.rows.least} to ${limits.rows.most}; default ${limits.rows.otherwise})
  --shards N      shards (${limits.shards.least} to ${limits.shards.most}; default ${limits.shards.otherwise})
  --nodes N       nodes (${limits.nodes.least} to ${limits.nodes.most}; default ${limits.nodes.otherwise}, replicated ${replicatedNodes})
  --rate N        requests a second (${limits.rate.least} to ${limits.rate.most}; default ${limits.rate.otherwise})
  --seed N        what the load and the choice of the node follow from (default ${limits.seed.otherwise})
  --keep          keep the run's directory: logs, histories, data
  --json          one JSON object on standard output and nothing else there
  --list          the faults and ablations of each scenario
  --help          this text
`;
}

/** The faults and ablations of each scenario. */
export function rehearseList(scenarios: readonly Scenario[]): string {
  return scenarios
    .map((scenario) => {
      const lines = (entries: Scenario['faults']) =>
        entries.map((entry) => `    ${entry.name.padEnd(18)}${entry.summary}${where(entry)}`).join('\n');
      return `${scenario.name}: ${scenario.summary}\n  faults\n${lines(scenario.faults)}\n  ablations\n${lines(scenario.ablations)}\n`;
    })
    .join('\n');
}

function where({ layouts: possible = ['sharded'] }: Fault): string {
  const only = possible.includes('sharded') ? 'also' : 'only';
  return possible.includes('replicated') ? ` (${only} with --layout replicated)` : '';
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: true, strict: true });
  } catch (cause) {
    // The parser's own message goes on about positional arguments after its first sentence.
    throw new RejoinError(
      'InvalidInput',
      `${messageOf(cause).split('. ')[0] ?? ''}; see 'npm run rehearse -- --help'`,
      { cause },
    );
  }
}

/** A dump has the rows and the one shard that it has. */
function dumpFile(values: ReturnType<typeof parse>['values']): string | null {
  const { dump } = values;
  if (dump === undefined) {
    return null;
  }
  const given = (['rows', 'shards'] as const).filter((name) => values[name] !== undefined);
  if (given.length > 0) {
    throw new RejoinError(
      'InvalidInput',
      `--${given.join(' and --')} can't be given with --dump: a dump is one shard, with the rows that it has`,
    );
  }
  if (dump === '') {
    throw new RejoinError('InvalidInput', "--dump takes the path of a file, got ''");
  }
  return dump;
}

/** What means nothing where each node holds all rows, and why. */
const notReplicated = {
  dump: 'a dump is there to be restored by rows',
  shards: 'each node holds all rows, so there is one shard',
  ablate: 'nothing is restored by rows, so there are no passes and no node filter to leave out',
} as const;

function chosenLayout(values: ReturnType<typeof parse>['values']): Layout {
  const layout = choose('--layout', values.layout ?? 'sharded', layouts.map(named)).name as Layout;
  const given = (['dump', 'shards', 'ablate'] as const).find((name) => values[name] !== undefined);
  if (layout === 'replicated' && given !== undefined) {
    throw new RejoinError(
      'InvalidInput',
      `--${given} can't be given with --layout replicated: ${notReplicated[given]}`,
    );
  }
  return layout;
}

function faultOf(name: string, layout: Layout, scenario: Scenario): Fault {
  const fault = choose('--fault', name, scenario.faults);
  const fitting = scenario.faults.filter((each) => (each.layouts ?? ['sharded']).includes(layout));
  if (!fitting.includes(fault)) {
    throw new RejoinError(
      'InvalidInput',
      `--fault ${name} can't happen with --layout ${layout}; there: ${fitting.map((each) => each.name).join(', ')}`,
    );
  }
  return fault;
}

function servers(
  { machines, durability }: { readonly machines?: string | undefined; readonly durability?: string | undefined },
  layout: Layout,
  fault: Fault,
): { readonly machines: MachineKind; readonly durability: Durability } {
  const kind = choose('--machines', machines ?? 'ec2', machineKinds.map(named)).name as MachineKind;
  if (kind === 'rds' && layout === 'replicated') {
    throw new RejoinError(
      'InvalidInput',
      "--machines rds can't be given with --layout replicated: RDS replaces replicas by itself",
    );
  }
  const otherwise = kind === 'rds' || layout === 'replicated' ? 'asynchronous' : 'synchronous';
  const chosen = choose('--durability', durability ?? otherwise, durabilities.map(named)).name as Durability;
  if (kind === 'rds' && chosen === 'synchronous') {
    throw new RejoinError(
      'InvalidInput',
      '--durability synchronous is not possible with --machines rds: RDS lets nobody choose who confirms commits',
    );
  }
  if (layout === 'replicated' && chosen === 'synchronous') {
    throw new RejoinError(
      'InvalidInput',
      '--durability synchronous is not possible with --layout replicated: promotion is by measured loss',
    );
  }
  if (layout === 'sharded' && fault.machines !== undefined && fault.machines !== kind) {
    throw new RejoinError('InvalidInput', `--fault ${fault.name} is for --machines ${fault.machines}, got '${kind}'`);
  }
  return { machines: kind, durability: chosen };
}

const named = (name: string) => ({ name });

function whole(name: keyof typeof limits, given: string | undefined): number {
  const { least, most, otherwise } = limits[name];
  const value = given === undefined ? otherwise : /^\d{1,10}$/.test(given) ? Number(given) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new RejoinError(
      'InvalidInput',
      `--${name} takes a whole number from ${least} to ${most}, got '${given ?? ''}'`,
    );
  }
  return value;
}

function choose<Named extends { readonly name: string }>(what: string, given: string, among: readonly Named[]): Named {
  const found = among.find((candidate) => candidate.name === given);
  if (found === undefined) {
    throw new RejoinError(
      'InvalidInput',
      `${what} '${given}' is not known; known: ${among.map((candidate) => candidate.name).join(', ')}`,
    );
  }
  return found;
}
