import { messageOf } from '../../core/errors';
import type { CampaignReport } from './campaign';
import { loadCampaign } from './load-campaign';
import { help, parseOptions, type Options } from './options';
import { reportText } from './report-text';

const badInput = 2;
const interrupted = 130;

async function main(): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (thrown) {
    process.stderr.write(`simulate: ${messageOf(thrown)}; see --help\n`);
    return badInput;
  }
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const stop = new AbortController();
  process.on('SIGINT', () => {
    stop.abort();
  });
  const report = await run(options, stop.signal);
  process.stdout.write(options.json ? `${JSON.stringify(forPrograms(report))}\n` : reportText(report, options.layouts));
  return stop.signal.aborted ? interrupted : report.violations.length > 0 ? 1 : 0;
}

async function run(options: Options, signal: AbortSignal): Promise<CampaignReport> {
  const { runCampaign } = await loadCampaign();
  const progress = process.stderr.isTTY && !options.json;
  const report = await runCampaign(options, {
    signal,
    nowMs: () => performance.now(),
    onRun: (done, violations) => {
      if (progress && done % 10 === 0) {
        process.stderr.write(`\r${done}/${options.runs} runs, ${violations} broke an invariant `);
      }
    },
    onTrace: (trace) => {
      if (options.trace && !options.json) {
        process.stdout.write(`${trace.join('\n')}\n\n`);
      }
    },
  });
  if (progress) {
    process.stderr.write('\r\u001b[K');
  }
  return report;
}

/** Traces are for people, and long; whoever wants one replays the seed. */
function forPrograms(report: CampaignReport): object {
  return {
    ...report,
    violations: report.violations.map(({ seed, invariant, detail, faults, faultNumbers }) => ({
      seed,
      invariant,
      detail,
      faults,
      faultNumbers,
    })),
  };
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (thrown: unknown) => {
    process.stderr.write(`simulate: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
    process.exitCode = badInput;
  },
);
