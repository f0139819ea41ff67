import type { Evidence } from './evidence';
import { durationText, escapeHtml } from './words';

const widthPx = 1_000;
const labelPx = 320;
const rowPx = 20;
/** More rows than this make a picture that nobody looks at; a loop's visits are drawn on one row. */
const maxRows = 60;

interface Row {
  readonly name: string;
  readonly spans: { readonly fromMs: number; readonly toMs: number }[];
}

/** Each state on a row of its own, in order of first entry; a state entered again is drawn on its row. */
export function timeline(evidence: Evidence): string {
  const rows = new Map<string, Row>();
  for (const visit of evidence.states) {
    const row = rows.get(visit.state) ?? { name: visit.state, spans: [] };
    row.spans.push({
      fromMs: visit.enteredAtMs - evidence.startedAtMs,
      toMs: (visit.exitedAtMs ?? evidence.endedAtMs) - evidence.startedAtMs,
    });
    rows.set(visit.state, row);
  }
  const shown = [...rows.values()].slice(0, maxRows);
  if (shown.length === 0) {
    return '';
  }
  const lastMs = Math.max(1, ...shown.flatMap((row) => row.spans.map((span) => span.toMs)));
  const x = (atMs: number) => labelPx + (atMs / lastMs) * (widthPx - labelPx - 70);
  const bodies = shown.map((row, index) => rowPicture(row, index * rowPx, x));
  const left = rows.size - shown.length;
  return `<svg viewBox="0 0 ${widthPx} ${shown.length * rowPx + 4}" role="img" aria-label="How long each state took">${bodies.join('')}</svg>${left > 0 ? `<p>${left} more states are in the JSON document.</p>` : ''}`;
}

function rowPicture(row: Row, top: number, x: (atMs: number) => number): string {
  const totalMs = row.spans.reduce((sum, span) => sum + span.toMs - span.fromMs, 0);
  const spans = row.spans.map(
    ({ fromMs, toMs }) =>
      `<rect x="${x(fromMs).toFixed(1)}" y="${top + 4}" width="${Math.max(1, x(toMs) - x(fromMs)).toFixed(1)}" height="${rowPx - 8}" rx="2"/>`,
  );
  const endPx = Math.max(...row.spans.map((span) => x(span.toMs)));
  const times = row.spans.length > 1 ? ` (${row.spans.length}×)` : '';
  return `<text x="${labelPx - 8}" y="${top + 14}" text-anchor="end">${escapeHtml(row.name)}${times}</text>${spans.join('')}<text x="${(endPx + 5).toFixed(1)}" y="${top + 14}">${durationText(totalMs)}</text>`;
}

/** One bar a value, the longest as wide as the picture. */
export function bars(
  values: readonly { readonly name: string; readonly value: number; readonly text: string }[],
): string {
  const most = Math.max(1, ...values.map((value) => value.value));
  const bodies = values.map(({ name, value, text }, index) => {
    const top = index * rowPx;
    const barPx = (value / most) * (widthPx - labelPx - 120);
    return `<text x="${labelPx - 8}" y="${top + 14}" text-anchor="end">${escapeHtml(name)}</text><rect x="${labelPx}" y="${top + 4}" width="${Math.max(1, barPx).toFixed(1)}" height="${rowPx - 8}" rx="2"/><text x="${(labelPx + barPx + 6).toFixed(1)}" y="${top + 14}">${escapeHtml(text)}</text>`;
  });
  return values.length === 0
    ? ''
    : `<svg viewBox="0 0 ${widthPx} ${values.length * rowPx + 4}" role="img" aria-label="Size of each pass">${bodies.join('')}</svg>`;
}
