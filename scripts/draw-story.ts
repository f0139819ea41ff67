import { escapeHtml } from '../core/evidence/words';
import type { Definition } from './draw-machine';

/** A part of a recovery, as its operator thinks of it, with its states in their order. */
export interface Chapter {
  readonly title: string;
  readonly states: readonly string[];
}

/** Node recovery in one row: what the first page shows. The whole machine is drawn by `drawMachine`. */
export const nodeRecoveryStory: readonly Chapter[] = [
  { title: 'Decide', states: ['Confirm the failure with a second witness', 'Decide what to do', 'Take the lease'] },
  {
    title: 'Traffic is back',
    states: ['Fence the failed node', 'Promote the surviving owners', 'Prove that the failed machine is stopped'],
  },
  { title: 'Build', states: ['Launch the replacement', 'Wait for the replacement', 'Open the change slots'] },
  { title: 'Restore', states: ['Load the backup rows', 'Build keys and indexes', 'Replay the stored segments'] },
  {
    title: 'Until in sync',
    states: ['Capture and apply a pass', 'Compare rows with the survivor', 'Repair unequal rows'],
  },
  { title: 'Join', states: ['Hand over to native replication', 'Rebalance the primaries', 'Write the evidence'] },
];

const column = { width: 168, gap: 22 } as const;
const box = { height: 58, gap: 10, top: 52 } as const;
const repeated = 'Until in sync';

/**
 * Chapters from left to right as SVG, and below them how it ends where it does not go well.
 *
 * @throws Error naming a state that the machine does not have: the story would be another one's
 */
export function drawStory(chapters: readonly Chapter[], definition: Definition, endings: readonly string[]): string {
  const unknown = [...chapters.flatMap(({ states }) => states), ...endings].filter(
    (name) => !(name in definition.States),
  );
  if (unknown.length > 0) {
    throw new Error(`the story tells states that the machine does not have: '${unknown.join("', '")}'`);
  }
  const rows = Math.max(...chapters.map(({ states }) => states.length));
  const width = chapters.length * (column.width + column.gap) + column.gap;
  const bottom = box.top + rows * (box.height + box.gap);
  const height = bottom + 74;
  const parts = chapters.flatMap(({ title, states }, place) => {
    const left = column.gap + place * (column.width + column.gap);
    return [
      `<text class="title" x="${left + column.width / 2}" y="30" text-anchor="middle">${escapeHtml(title)}${title === repeated ? ' ↻' : ''}</text>`,
      ...states.map((name, row) => stateBox(name, left, box.top + row * (box.height + box.gap))),
      ...(place === 0 ? [] : [`<path d="M${left - column.gap + 2} ${box.top + box.height / 2}h${column.gap - 6}"/>`]),
    ];
  });
  const endingWidth = (width - column.gap) / endings.length - column.gap;
  const endingBoxes = endings.map((name, place) => {
    const x = column.gap + place * (endingWidth + column.gap);
    const good = definition.States[name]?.Type === 'Succeed';
    return `<rect class="${good ? 'good' : 'bad'}" x="${x}" y="${bottom + 20}" width="${endingWidth}" height="34" rx="6"/><text x="${x + endingWidth / 2}" y="${bottom + 42}" text-anchor="middle">${escapeHtml(name)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(chapters.map(({ title, states }) => `${title}: ${states.join(', ')}`).join('; '))}">
<style>text{font:13px system-ui,sans-serif;fill:#1b1f24}text.title{font-size:16px;font-weight:600}rect{fill:#eaf1f8;stroke:#2f6fb2}rect.good{fill:#e3f4ea;stroke:#1a7f4b}rect.bad{fill:#fbe9e7;stroke:#c0392b}path{fill:none;stroke:#5b6673;stroke-width:1.5;marker-end:url(#a)}</style>
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8Z" style="fill:#5b6673;stroke:none;marker-end:none"/></marker></defs>
<rect width="${width}" height="${height}" style="fill:#fff;stroke:none"/>
${[...parts, ...endingBoxes].join('\n')}
</svg>
`;
}

function stateBox(name: string, left: number, top: number): string {
  const words = name.split(' ');
  const half = words.findIndex((_, index) => words.slice(0, index + 1).join(' ').length >= name.length / 2) + 1;
  const lines = name.length <= 22 ? [name] : [words.slice(0, half).join(' '), words.slice(half).join(' ')];
  const middle = top + box.height / 2;
  const text = lines.map(
    (line, row) =>
      `<text x="${left + column.width / 2}" y="${middle + 5 + (row - (lines.length - 1) / 2) * 17}" text-anchor="middle">${escapeHtml(line)}</text>`,
  );
  return `<rect x="${left}" y="${top}" width="${column.width}" height="${box.height}" rx="6"/>${text.join('')}`;
}
