import type { Evidence } from './evidence';
import { bars, timeline } from './pictures';
import { byteText, durationText, escapeHtml, timeText } from './words';

/** The evidence as one HTML page that needs nothing else: no script, no link, no request. */
export function renderEvidence(evidence: Evidence): string {
  const title = `${evidence.machine} of ${evidence.subject}: ${evidence.outcome}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body class="${evidence.outcome === 'recovered' || evidence.outcome === 'no action needed' ? 'well' : 'ill'}">
<header>
<h1>${escapeHtml(title)}</h1>
<p class="reason">${escapeHtml(evidence.reason)}</p>
<p>Cluster ${escapeHtml(evidence.cluster)}, execution <code>${escapeHtml(evidence.execution)}</code>, started by ${escapeHtml(evidence.trigger)} at ${timeText(evidence.startedAtMs)}, took ${durationText(evidence.endedAtMs - evidence.startedAtMs)}.</p>
</header>
<main>
${milestones(evidence)}
${section('States', timeline(evidence))}
${section('Decisions', decisions(evidence))}
${section('Fences', fences(evidence))}
${section('Passes', passes(evidence))}
${section('Checks', checks(evidence))}
${section('Figures', figures(evidence))}
${section('Steps that failed or were repeated', troubles(evidence))}
</main>
</body>
</html>
`;
}

function milestones(evidence: Evidence): string {
  const { fenced, trafficRestored, inSync, joined } = evidence.milestonesMs;
  const figure = (name: string, valueMs: number | null) =>
    `<div><dt>${name}</dt><dd>${valueMs === null ? 'not reached' : durationText(valueMs)}</dd></div>`;
  const loss = evidence.recoveryPointSeconds;
  return `<dl class="milestones">${figure('Fenced after', fenced)}${figure('Traffic restored after', trafficRestored)}${figure('In sync after', inSync)}${figure('Joined after', joined)}<div><dt>Lost</dt><dd>${loss === null ? 'unknown' : loss === 0 ? 'nothing' : `up to ${loss} s`}</dd></div></dl>`;
}

function section(heading: string, body: string): string {
  return body === '' ? '' : `<section><h2>${heading}</h2>${body}</section>`;
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) {
    return '';
  }
  const head = heads.map((text) => `<th scope="col">${text}</th>`).join('');
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('\n');
  return `<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`;
}

function decisions(evidence: Evidence): string {
  return table(
    ['After', 'State', 'Decided', 'Because'],
    evidence.decisions.map((decision) => [
      durationText(decision.atMs - evidence.startedAtMs),
      escapeHtml(decision.state),
      escapeHtml(decision.what),
      escapeHtml(decision.reason),
    ]),
  );
}

function fences(evidence: Evidence): string {
  return table(
    ['Of', 'Kind', 'Proof', 'Independent probes'],
    evidence.fences.map(({ of, fence }) => [
      escapeHtml(of),
      fence.kind,
      escapeHtml(fence.api),
      escapeHtml(fence.probes.join('; ')),
    ]),
  );
}

function passes(evidence: Evidence): string {
  const rows = evidence.passes.map((pass) => [
    String(pass.number),
    String(pass.segments),
    pass.rows.toLocaleString('en'),
    byteText(pass.bytes),
    pass.lagBytes === null ? 'unknown' : byteText(pass.lagBytes),
    durationText(pass.durationMs),
  ]);
  const picture = bars(
    evidence.passes.map((pass) => ({
      name: `pass ${pass.number}`,
      value: pass.rows,
      text: `${pass.rows.toLocaleString('en')} rows`,
    })),
  );
  return rows.length === 0 ? '' : picture + table(['Pass', 'Segments', 'Rows', 'Bytes', 'Lag left', 'Took'], rows);
}

function checks(evidence: Evidence): string {
  return table(
    ['Check', 'Held', 'Expected', 'Got'],
    evidence.checks.map((check) => [
      escapeHtml(check.name),
      check.ok ? 'yes' : '<strong>no</strong>',
      escapeHtml(check.expected),
      escapeHtml(check.got),
    ]),
  );
}

function figures(evidence: Evidence): string {
  return table(
    ['What', 'How much'],
    evidence.figures.map((figure) => [
      escapeHtml(figure.name),
      figure.value === null ? 'unknown' : `${figure.value.toLocaleString('en')} ${escapeHtml(figure.unit)}`,
    ]),
  );
}

function troubles(evidence: Evidence): string {
  return table(
    ['State', 'Begun', 'Ended with'],
    evidence.steps
      .filter((step) => !step.ok || step.attempts > 1)
      .map((step) => [escapeHtml(step.state), `${step.attempts} times`, escapeHtml(step.error ?? 'success')]),
  );
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e6e9ee); --paper: light-dark(#fff, #14171b); --line: light-dark(#d5dae1, #343a43); --bar: light-dark(#2f6fb2, #6aa7e8); --well: #1a7f4b; --ill: #c0392b }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; max-width: 70rem; padding: 1rem 1.5rem 4rem }
header { border-left: 6px solid var(--well); padding-left: 1rem }
.ill header { border-color: var(--ill) }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.reason { font-size: 1.1rem; margin: .25rem 0 }
.milestones { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.5rem 0 }
.milestones dt { font-size: .85rem; opacity: .75 } .milestones dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; font-size: .85rem }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif } svg text { fill: var(--ink) } svg rect { fill: var(--bar) } svg line { stroke: var(--line) }
section { overflow-x: auto }
strong { color: var(--ill) }
`;
