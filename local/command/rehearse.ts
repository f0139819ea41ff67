import { durationText } from '../../core/evidence/words';
import { held } from '../scenarios/report';
import type { Scenario } from '../scenarios/scenario';
import { parseRehearseArguments, rehearseHelp, rehearseList } from './rehearse-options';
import { reportText } from './report-text';

/**
 * `rejoin rehearse`. Progress goes to standard error where JSON is asked for, so that standard output is one object.
 *
 * @returns the exit code: 0 only when every check held
 * @throws RejoinError with a sentence for the user
 */
export async function rehearse(
  argv: readonly string[],
  scenarios: readonly Scenario[],
  signal: AbortSignal,
): Promise<number> {
  const request = parseRehearseArguments(argv, scenarios);
  if (request.kind !== 'run') {
    process.stdout.write(request.kind === 'help' ? rehearseHelp(scenarios) : rehearseList(scenarios));
    return 0;
  }
  const begunAtMs = Date.now();
  const progress = request.json ? process.stderr : process.stdout;
  const say = (line: string) => progress.write(`${durationText(Date.now() - begunAtMs).padStart(12)}  ${line}\n`);
  const report = await request.scenario.run(request.options, say, signal);
  process.stdout.write(request.json ? `${JSON.stringify(report)}\n` : reportText(report));
  return held(report) ? 0 : 1;
}
