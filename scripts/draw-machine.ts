import { Graph, layout } from '@dagrejs/dagre';
import { escapeHtml } from '../core/evidence/words';

interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly { readonly Next: string }[];
}

/** A state machine's definition, as far as a picture needs it. */
export interface Definition {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

const lineHeight = 17;
const letterWidth = 7.4;
const lettersInLine = 28;
const margin = 20;

/**
 * The machine as a graph from top to bottom, as SVG: steps, work that fans out, questions and endings in colours of their own.
 * What only passes data on is left out, and so are the ways that every state has to the endings of a failure.
 */
export function drawMachine(definition: Definition): string {
  const graph = new Graph();
  graph.setGraph({ rankdir: 'TB', nodesep: 22, ranksep: 30, edgesep: 12, marginx: margin, marginy: margin });
  graph.setDefaultEdgeLabel(() => ({}));
  const reached = reachable(definition);
  for (const name of reached) {
    const lines = wrapped(name);
    const width = Math.max(...lines.map((line) => line.length)) * letterWidth + 24;
    graph.setNode(name, { width, height: lines.length * lineHeight + 18 });
  }
  for (const name of reached) {
    for (const next of followers(definition, name)) {
      if (next !== name) {
        graph.setEdge(name, next);
      }
    }
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { readonly width?: number; readonly height?: number };
  const arrows = graph.edges().map((edge) => arrow((graph.edge(edge) as { readonly points: readonly Point[] }).points));
  const boxes = reached.map((name) => box(name, definition.States[name]?.Type ?? '', graph.node(name) as Box));
  const [wide, high] = [Math.ceil(width), Math.ceil(height)];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${wide} ${high}" role="img" aria-label="The states of the machine and the ways between them">
<style>text{font:14px system-ui,sans-serif;fill:#1b1f24}rect{fill:#eaf1f8;stroke:#2f6fb2}rect.Map{fill:#fdf3e1;stroke:#b9770e}rect.Choice,rect.Wait{fill:#f6f7f8;stroke:#8a949e;stroke-dasharray:4 3}rect.Succeed{fill:#e3f4ea;stroke:#1a7f4b}rect.Fail{fill:#fbe9e7;stroke:#c0392b}path{fill:none;stroke:#5b6673;marker-end:url(#a)}</style>
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8Z" style="fill:#5b6673;stroke:none;marker-end:none"/></marker></defs>
<rect width="${wide}" height="${high}" style="fill:#fff;stroke:none"/>
${[...arrows, ...boxes].join('\n')}
</svg>
`;
}

/** The states that an execution can come to without a failure, passing over those that only pass data on. */
function reachable(definition: Definition): readonly string[] {
  const seen = new Set<string>();
  const open = landing(definition, definition.StartAt);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (!seen.has(name)) {
      seen.add(name);
      open.push(...followers(definition, name));
    }
  }
  return Object.keys(definition.States).filter((name) => seen.has(name));
}

function followers(definition: Definition, name: string): readonly string[] {
  return [...new Set(waysFrom(definition, name).flatMap((next) => landing(definition, next)))];
}

function waysFrom({ States }: Definition, name: string): readonly string[] {
  const state = States[name];
  return [state?.Next, state?.Default, ...(state?.Choices ?? []).map((choice) => choice.Next)].flatMap(
    (next) => next ?? [],
  );
}

/** Where a way to this state ends when states of the type Pass are left out. */
function landing(definition: Definition, name: string): string[] {
  return definition.States[name]?.Type === 'Pass'
    ? waysFrom(definition, name).flatMap((next) => landing(definition, next))
    : [name];
}

interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

function box(name: string, type: string, { x, y, width, height }: Box): string {
  const lines = wrapped(name);
  const text = lines.map(
    (line, row) =>
      `<text x="${round(x)}" y="${round(y + 5 + (row - (lines.length - 1) / 2) * lineHeight)}" text-anchor="middle">${escapeHtml(line)}</text>`,
  );
  const corner = `x="${round(x - width / 2)}" y="${round(y - height / 2)}" width="${round(width)}" height="${round(height)}"`;
  return `<rect class="${type}" ${corner} rx="${type === 'Choice' ? 16 : 6}"/>${text.join('')}`;
}

function arrow(points: readonly Point[]): string {
  return `<path d="${points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('')}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < lettersInLine) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}
