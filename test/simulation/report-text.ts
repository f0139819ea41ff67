import type { CampaignReport, FoundViolation, Reached } from './campaign';
import type { Layout } from './plan';

/** The report for people. */
export function reportText(report: CampaignReport, layouts: readonly Layout[]): string {
  const outcomes = Object.entries(report.outcomes).sort(([left], [right]) => (left < right ? -1 : 1));
  return [
    ...report.violations.map((violation) => violationText(violation, layouts)),
    `${report.workflow}: ${report.runs} runs from seed ${report.seed}, ${report.runsPerSecond} a second`,
    `outcomes: ${outcomes.map(([outcome, count]) => `${outcome} ${count}`).join(', ')}`,
    `states reached: ${reachedText(report.coverage.states)}`,
    `catches reached: ${reachedText(report.coverage.catches)}`,
    report.violations.length === 0 ? 'every invariant held' : `${report.violations.length} runs broke an invariant`,
    '',
  ].join('\n');
}

function reachedText({ reached, missing }: Reached): string {
  return missing.length === 0 ? reached : `${reached}; not: ${missing.map((name) => `'${name}'`).join(', ')}`;
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
