import type { CampaignReport, FoundViolation } from './campaign';
import type { Layout } from './plan';

/** The report for people. */
export function reportText(report: CampaignReport, layouts: readonly Layout[]): string {
  const outcomes = Object.entries(report.outcomes).sort(([left], [right]) => (left < right ? -1 : 1));
  const { states, catches, notReached: missing } = report.coverage;
  return [
    ...report.violations.map((violation) => violationText(violation, layouts)),
    `${report.workflow}: ${report.runs} runs from seed ${report.seed}, ${report.runsPerSecond} a second`,
    `outcomes: ${outcomes.map(([outcome, count]) => `${outcome} ${count}`).join(', ')}`,
    `states reached: ${states}${notReachedText(report, missing.states)}`,
    `catches reached: ${catches}${notReachedText(report, missing.catches)}`,
    report.violations.length === 0 ? 'every invariant held' : `${report.violations.length} runs broke an invariant`,
    '',
  ].join('\n');
}

/** Few runs reach little, which says nothing. */
const tellingRuns = 100;

function notReachedText({ runs }: CampaignReport, missing: readonly string[]): string {
  return missing.length === 0 || runs < tellingRuns ? '' : `; not: ${missing.map((name) => `'${name}'`).join(', ')}`;
}

/** The one command that replays a violation with the fewest faults. */
export function replayCommand({ seed, faultNumbers }: FoundViolation, layouts: readonly Layout[]): string {
  const layout = layouts.length === 1 ? ` --layout ${layouts.join()}` : '';
  return `npm run simulate -- --workflow node-recovery --seed ${seed} --runs 1${layout} --faults '${faultNumbers.join(',')}' --trace`;
}

function violationText(violation: FoundViolation, layouts: readonly Layout[]): string {
  return [
    `seed ${violation.seed} breaks '${violation.invariant}': ${violation.detail}`,
    violation.faults.length === 0 ? 'without any fault' : `with ${violation.faults.length} faults:`,
    ...violation.faults.map((fault) => `  ${fault}`),
    'trace:',
    ...violation.trace.map((line) => `  ${line}`),
    `replay: ${replayCommand(violation, layouts)}`,
    '',
  ].join('\n');
}
