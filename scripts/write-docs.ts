import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import type { Json, JsonObject } from '../core/json';
import { editorSchemaText } from '../lib/config/app-settings';
import { loadSettings } from '../lib/config/load';
import { makeApp } from '../lib/stacks/make-app';
import { projectRoot } from '../lib/constructs/bundling';
import { drawMachine, type Definition } from './draw-machine';
import { drawStory, nodeRecoveryStory } from './draw-story';

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
    const recovery = machines.find(({ name }) => name === 'rejoin-node-recovery');
    const endings = ['Recovered', 'No action needed', 'Refused', 'Undone', 'Needs an operator', 'Failed'];
    const story =
      recovery === undefined
        ? []
        : [
            [
              'docs/images/node-recovery-story.svg',
              drawStory(nodeRecoveryStory, recovery.definition, endings),
            ] as const,
          ];
    const options = await resolveConfig(join(projectRoot, 'docs', 'permissions.md'));
    const page = await format(permissions(resources), { ...options, parser: 'markdown' });
    return new Map([...pictures, ...story, ['docs/permissions.md', page]]);
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
