import { byteText, durationText } from '../../core/evidence/words';
import { held, type RehearsalReport } from '../scenarios/report';

/** The report for people: what happened, in the order in which they ask. */
export function reportText(report: RehearsalReport): string {
  const time = (value: number | null) => (value === null ? 'not reached' : durationText(value));
  const { timingsMs, load, rows } = report;
  const parts = (['detect', 'decide', 'fence', 'promote', 'reroute'] as const).map(
    (name) => `${name} ${time(load.blackoutParts[`${name}Ms`])}`,
  );
  const lines = [
    '',
    `${report.outcome.toUpperCase()}: ${report.reason}`,
    '',
    `  detected after          ${time(timingsMs.detected)}`,
    `  fenced after            ${time(timingsMs.fenced)}`,
    `  traffic restored after  ${time(timingsMs.trafficRestored)}`,
    `  in sync after           ${time(timingsMs.inSync)}`,
    `  joined after            ${time(timingsMs.joined)}`,
    `  blackout                ${time(load.blackoutMs)} (${parts.join(', ')})`,
    '',
    ...report.passes.map(
      (pass, index) =>
        `  pass ${index + 1}: ${pass.segments} segments, ${pass.rows.toLocaleString('en')} rows, ${byteText(pass.bytes)}, lag left ${pass.lagBytes === null ? 'unknown' : byteText(pass.lagBytes)}, ${durationText(pass.durationMs)}`,
    ),
    `  rows restored ${number(rows.restored)}, owned now ${number(rows.owned)}, outside its ownership ${number(rows.outsideOwnership)}`,
    `  load: ${load.acknowledged.toLocaleString('en')} acknowledged, ${load.failed.toLocaleString('en')} failed, ${load.refused.toLocaleString('en')} refused by the data; p50 ${phase(load.p50Ms)} ms, p99 ${phase(load.p99Ms)} ms (before, during, after)`,
    '',
    ...report.checks.map(
      (check) => `  ${check.ok ? 'ok  ' : 'FAIL'} ${check.name}: expected ${check.expected}, got ${check.got}`,
    ),
    '',
    ...report.notes.map((note) => `  note: ${note}`),
    ...(report.notes.length === 0 ? [] : ['']),
    `  evidence  ${report.evidencePath ?? 'none'}`,
    `  seed      ${report.seed}`,
    '',
    held(report) ? 'Every check held.' : 'Not every check held.',
  ];
  return `${lines.join('\n')}\n`;
}

function number(value: number | null): string {
  return value === null ? 'unknown' : value.toLocaleString('en');
}

function phase(values: {
  readonly before: number | null;
  readonly during: number | null;
  readonly after: number | null;
}): string {
  return [values.before, values.during, values.after].map((value) => value ?? '–').join(' / ');
}
