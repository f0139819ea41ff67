import { parseArgs } from 'node:util';
import type { CampaignOptions } from './campaign';

export const help = `npm run simulate -- [options]

  Runs the deployed state machine with its real steps in simulated worlds, on a virtual clock, with faults drawn from a
  seed, and checks after each thing that happens that nothing was made worse. docs/reliability.md says what is checked.

  --workflow NAME    node-recovery, so far the only one (default: node-recovery)
  --seed N           the seed of the first run; each next run has the next seed (default: 1)
  --runs M           how many runs (default: 1000)
  --layout LAYOUT    sharded, replicated, or both (default: both)
  --faults N,N,…     keep only these of the seed's faults, by their numbers in a report; '' for none (default: all)
  --trace            print the trace of each run, not only of those that broke something
  --json             one object on standard output, and nothing else there
  --help             this text

  Exit code: 0 every invariant held; 1 one was broken, and the report says by which seed, by which faults, and how to
  replay it; 2 bad options; 130 stopped by Ctrl-C, after summing up what was run.
`;

export interface Options extends CampaignOptions {
  readonly json: boolean;
  readonly trace: boolean;
  readonly help: boolean;
}

const layouts = { both: ['sharded', 'replicated'], sharded: ['sharded'], replicated: ['replicated'] } as const;

/** @throws Error with a sentence that names the option, what was given and what is allowed */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      workflow: { type: 'string', default: 'node-recovery' },
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '1000' },
      layout: { type: 'string', default: 'both' },
      faults: { type: 'string' },
      trace: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.workflow !== 'node-recovery') {
    throw new Error(`--workflow must be node-recovery, got '${values.workflow}'; others can't be simulated yet`);
  }
  if (!Object.hasOwn(layouts, values.layout)) {
    throw new Error(`--layout must be one of ${Object.keys(layouts).join(', ')}, got '${values.layout}'`);
  }
  return {
    seed: wholeNumber('seed', values.seed, 0),
    runs: wholeNumber('runs', values.runs, 1),
    layouts: layouts[values.layout as keyof typeof layouts],
    faults: values.faults === undefined ? null : numbersIn(values.faults),
    json: values.json,
    trace: values.trace,
    help: values.help,
  };
}

function numbersIn(text: string): readonly number[] {
  return text === '' ? [] : text.split(',').map((each) => wholeNumber('faults', each.trim(), 1));
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least)) {
    throw new Error(`--${name} must be a whole number of at least ${least}, got '${text}'`);
  }
  return value;
}
