import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { escapeHtml } from '../core/evidence/words';
import type { Json, JsonObject } from '../core/json';
import { editorSchemaText } from '../lib/config/app-settings';
import { loadSettings } from '../lib/config/load';
import { makeApp } from '../lib/stacks/make-app';
import { projectRoot } from '../lib/constructs/bundling';

/**
 * The parts of docs/ that follow from the deployed templates: the pictures of the machines, each step's permissions.
 *
 * @returns each file's text, formatted, by its path below the repository's root
 */
async function generatedDocs(): Promise<ReadonlyMap<string, string>> {
  const { settings } = loadSettings(join(projectRoot, 'rejoin.example.yaml'));
  const outdir = mkdtempSync(join(tmpdir(), 'rejoin-docs-'));
  try {
    const app = makeApp(settings, { outdir, bundle: false, validate: false });
    const resources = app
      .synth()
      .stacks.flatMap((stack) =>
        Object.values((stack.template as { Resources: Record<string, JsonObject> }).Resources),
      );
    const machines = resources
      .filter((resource) => resource['Type'] === 'AWS::StepFunctions::StateMachine')
      .map(machineOf);
    const pictures = machines.map(
      ({ name, definition }) => [`docs/images/${name.replace('rejoin-', '')}.svg`, drawMachine(definition)] as const,
    );
    const options = await resolveConfig(join(projectRoot, 'docs', 'permissions.md'));
    const page = await format(permissions(resources), { ...options, parser: 'markdown' });
    return new Map([...pictures, ['docs/permissions.md', page]]);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

/** Writes them; with `--check` says which are out of date, and what writes them. */
async function main(): Promise<void> {
  const docs = new Map([...(await generatedDocs()), ['lib/config/rejoin.schema.json', editorSchemaText()]]);
  for (const [path, text] of docs) {
    const file = join(projectRoot, path);
    if (!process.argv.includes('--check')) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    } else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
      process.stderr.write(`${path} is not what the code says now; run 'npx tsx scripts/write-docs.ts'\n`);
      process.exitCode = 1;
    }
  }
}

interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly { readonly Next: string }[];
}

interface Definition {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

function machineOf(resource: JsonObject): { readonly name: string; readonly definition: Definition } {
  const properties = resource['Properties'] as JsonObject;
  return {
    name: properties['StateMachineName'] as string,
    definition: JSON.parse(plainText(properties['DefinitionString'] ?? null)) as Definition,
  };
}

/** Text in which everything that is known at deployment only is left out. */
function plainText(value: Json): string {
  if (typeof value === 'string') {
    return value;
  }
  const join = (value as JsonObject | null)?.['Fn::Join'];
  return Array.isArray(join)
    ? (join[1] as Json[]).map((part) => (typeof part === 'string' ? part : 'deployed')).join('')
    : 'deployed';
}

/** The states that do something, in the order in which an execution that goes well comes to them. */
function story({ StartAt, States }: Definition): readonly string[] {
  const seen = new Set<string>();
  const visit = (name: string): void => {
    const state = States[name];
    if (state === undefined || seen.has(name)) {
      return;
    }
    seen.add(name);
    for (const next of [state.Next, state.Default, ...(state.Choices ?? []).map((choice) => choice.Next)]) {
      if (next !== undefined) {
        visit(next);
      }
    }
  };
  visit(StartAt);
  return [...seen].filter((name) => ['Task', 'Map', 'Succeed', 'Fail'].includes(States[name]?.Type ?? ''));
}

const columns = 4;
const box = { width: 230, height: 54, gapX: 26, gapY: 30 } as const;

/** Boxes in rows, each row from left to right; steps, work that fans out, and endings in colours of their own. */
function drawMachine(definition: Definition): string {
  const names = story(definition);
  const rows = Math.ceil(names.length / columns);
  const width = columns * (box.width + box.gapX) + box.gapX;
  const height = rows * (box.height + box.gapY) + box.gapY;
  const at = (index: number) => ({
    x: box.gapX + (index % columns) * (box.width + box.gapX),
    y: box.gapY + Math.floor(index / columns) * (box.height + box.gapY),
  });
  const boxes = names.map((name, index) => {
    const { x, y } = at(index);
    const type = definition.States[name]?.Type ?? '';
    const lines = wrapped(name, 30);
    const text = lines
      .map(
        (line, row) =>
          `<text x="${x + box.width / 2}" y="${y + box.height / 2 + 5 + (row - (lines.length - 1) / 2) * 17}" text-anchor="middle">${escapeHtml(line)}</text>`,
      )
      .join('');
    return `<rect class="${type}" x="${x}" y="${y}" width="${box.width}" height="${box.height}" rx="8"/>${text}`;
  });
  const arrows = names.slice(1).flatMap((name, index) => {
    if (['Succeed', 'Fail'].includes(definition.States[name]?.Type ?? '')) {
      return [];
    }
    const from = at(index);
    const to = at(index + 1);
    return from.y === to.y
      ? [`<path d="M${from.x + box.width} ${from.y + box.height / 2}H${to.x - 2}"/>`]
      : [
          `<path d="M${from.x + box.width / 2} ${from.y + box.height}v${box.gapY / 2}H${to.x + box.width / 2}V${to.y - 2}"/>`,
        ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="The states of the machine in their order">
<style>text{font:14px system-ui,sans-serif;fill:#1b1f24}rect{fill:#eaf1f8;stroke:#2f6fb2}rect.Map{fill:#fdf3e1;stroke:#b9770e}rect.Succeed{fill:#e3f4ea;stroke:#1a7f4b}rect.Fail{fill:#fbe9e7;stroke:#c0392b}path{fill:none;stroke:#5b6673;marker-end:url(#a)}</style>
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8Z" style="fill:#5b6673;stroke:none;marker-end:none"/></marker></defs>
<rect width="${width}" height="${height}" style="fill:#fff;stroke:none"/>
${[...arrows, ...boxes].join('\n')}
</svg>
`;
}

function wrapped(text: string, length: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < length) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

/** A table for each step, made of its role's policy as it is deployed. */
function permissions(resources: readonly JsonObject[]): string {
  const sections = resources
    .filter((resource) => resource['Type'] === 'AWS::Lambda::Function')
    .map((lambda) => {
      const entry = ((lambda['Metadata'] ?? {}) as JsonObject)['rejoin:entry'];
      const role = JSON.stringify((lambda['Properties'] as JsonObject)['Role'] ?? null);
      const roleId = /"Fn::GetAtt":\["([^"]+)"/.exec(role)?.[1] ?? 'none';
      const statements = resources
        .filter(
          (resource) =>
            resource['Type'] === 'AWS::IAM::Policy' &&
            JSON.stringify(resource['Properties']).includes(`{"Ref":"${roleId}"}`),
        )
        .flatMap(
          (policy) =>
            ((policy['Properties'] as JsonObject)['PolicyDocument'] as JsonObject)['Statement'] as JsonObject[],
        );
      return { entry: typeof entry === 'string' ? entry : 'unknown', statements };
    })
    .sort((left, right) => (left.entry < right.entry ? -1 : 1))
    .map(({ entry, statements }) => {
      const rows = statements.map((statement) => {
        const actions = ([statement['Action'] ?? ''].flat() as string[]).map((action) => `\`${action}\``);
        const condition =
          statement['Condition'] === undefined ? '' : Object.keys(statement['Condition'] as JsonObject).join(', ');
        return `| ${typeof statement['Sid'] === 'string' ? statement['Sid'] : ''} | ${actions.join(', ')} | ${condition} |`;
      });
      return `## ${entry}\n\n| for | actions | conditions |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
    });
  return `# Permissions\n\nEach step is a Lambda function with a role of its own. This page is written from the synthesized templates by \`npx tsx scripts/write-docs.ts\`; the lists themselves stand beside the adapters (\`adapters/aws/*.permissions.ts\`), each with its reason. No action is \`*\`; a resource is \`*\` only where AWS knows no other, and the list says so. What changes machines is bound to the tag \`rejoin:cluster\`.\n\n${[...new Set(sections)].join('\n')}`;
}

void main();
