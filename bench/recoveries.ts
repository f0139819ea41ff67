import { parseArgs } from 'node:util';
import { messageOf } from '../core/errors';
import { percentile } from '../local/load/figures';
import { nodeRecovery } from '../local/scenarios/node-recovery';
import { held, type BlackoutParts, type RehearsalReport } from '../local/scenarios/report';

/*
 * Many recoveries in a row, each from empty servers to the checked aftermath: how many held every check, and how long the
 * shards whose primary died acknowledged nothing.
 *
 *     npx tsx bench/recoveries.ts [--runs 20] [--rows 40000] [--shards 16] [--rate 150] [--json]
 */

const parts = [
  'detectMs',
  'decideMs',
  'fenceMs',
  'promoteMs',
  'rerouteMs',
] as const satisfies readonly (keyof BlackoutParts)[];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '20' },
      rows: { type: 'string', default: '40000' },
      shards: { type: 'string', default: '16' },
      rate: { type: 'string', default: '150' },
      json: { type: 'boolean', default: false },
    },
  });
  const stop = new AbortController();
  process.once('SIGINT', () => {
    stop.abort(new Error('stopped'));
  });
  const reports: RehearsalReport[] = [];
  for (let seed = 1; seed <= Number(values.runs) && !stop.signal.aborted; seed += 1) {
    const options = {
      rows: Number(values.rows),
      shards: Number(values.shards),
      nodes: 4,
      requestsPerSecond: Number(values.rate),
      machines: 'ec2',
      durability: 'synchronous',
      dump: null,
      fault: 'kill',
      ablate: [],
      seed,
      keep: false,
    } as const;
    try {
      const report = await nodeRecovery.run(options, () => undefined, stop.signal);
      reports.push(report);
      process.stderr.write(`${line(report)}\n`);
    } catch (thrown) {
      process.stderr.write(`seed ${seed} broke off: ${messageOf(thrown)}\n`);
      process.exitCode = 1;
    }
  }
  const summary = summaryOf(reports);
  process.stdout.write(`${values.json ? JSON.stringify(summary) : JSON.stringify(summary, null, 2)}\n`);
  process.exitCode ??= reports.every(held) ? 0 : 1;
}

function line({ seed, outcome, checks, load, timingsMs }: RehearsalReport): string {
  const broken = checks.filter(({ ok }) => !ok).map(({ name, got }) => `${name}: ${got}`);
  const ways = parts.map((part) => load.blackoutParts[part] ?? 'unknown').join(' + ');
  return `seed ${seed}: ${outcome}, blackout ${load.blackoutMs ?? 'unknown'} ms (${ways}), in sync ${timingsMs.inSync ?? 'never'} ms${broken.length === 0 ? '' : `; ${broken.join('; ')}`}`;
}

interface Spread {
  readonly p50: number | null;
  readonly p99: number | null;
}

function summaryOf(reports: readonly RehearsalReport[]): object {
  const spread = (values: readonly (number | null)[]): Spread => {
    const known = values.filter((value) => value !== null);
    return { p50: percentile(known, 0.5), p99: percentile(known, 0.99) };
  };
  return {
    runs: reports.length,
    recovered: reports.filter(({ outcome }) => outcome === 'recovered').length,
    everyCheckHeld: reports.filter(held).length,
    acknowledged: reports.reduce((sum, { load }) => sum + load.acknowledged, 0),
    blackoutMs: spread(reports.map(({ load }) => load.blackoutMs)),
    ...Object.fromEntries(parts.map((part) => [part, spread(reports.map(({ load }) => load.blackoutParts[part]))])),
    inSyncMs: spread(reports.map(({ timingsMs }) => timingsMs.inSync)),
    joinedMs: spread(reports.map(({ timingsMs }) => timingsMs.joined)),
  };
}

void main();
