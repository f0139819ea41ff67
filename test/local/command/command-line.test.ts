import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Workplace } from './support/command-line';

let workplace: Workplace;
beforeEach(() => {
  workplace = new Workplace();
});
afterEach(async () => {
  await workplace.remove();
});

const use = (...argv: string[]) => workplace.start(argv).ended;

test.each([
  [['frobnicate'], "rejoin: there is no command 'frobnicate'; commands: rehearse, check, register, help\n"],
  [['rehearse', '--rows', 'many'], "rejoin: --rows takes a whole number from 1000 to 20000000, got 'many'\n"],
])('%j: one sentence, exit code 2, nothing on standard output, nothing made', async (argv, errors) => {
  expect(await use(...argv)).toEqual({ code: 2, output: '', errors });
  expect(readdirSync(workplace.folder).sort()).toEqual(['node_modules', 'tmp']);
});

test('the help is for standard output and no mistake', async () => {
  expect(await use('--help')).toMatchObject({
    code: 0,
    errors: '',
    output: expect.stringContaining('Exit code') as string,
  });
});

test('rejoin.yaml that is missing, wrong, and right', async () => {
  expect(await use('check')).toMatchObject({
    code: 2,
    output: '',
    errors: expect.stringMatching(
      /^rejoin: there is no file .*rejoin\.yaml; copy rejoin\.example\.yaml [^\n]+\n$/,
    ) as string,
  });
  writeFileSync(join(workplace.folder, 'rejoin.yaml'), 'version: 1\nclusters: {orders: {layout: shared}}\n');
  expect(await use('check')).toMatchObject({
    code: 2,
    output: '',
    errors: expect.stringContaining("rejoin.yaml:2:29  clusters.orders.layout: 'shared' is not allowed") as string,
  });
  const example = join(__dirname, '..', '..', '..', 'rejoin.example.yaml');
  expect(await use('check', example)).toMatchObject({
    code: 0,
    output: expect.stringContaining('orders: sharded, 4 nodes') as string,
    errors: '',
  });
});

test('the app that cdk synthesizes says the same of a file that is missing or wrong, and makes nothing', async () => {
  const synthesize = () => workplace.start([], { CDK_OUTDIR: join(workplace.folder, 'out') }, 'rejoin-app').ended;
  expect(await synthesize()).toMatchObject({
    code: 1,
    output: '',
    errors: expect.stringMatching(/^there is no file [^\n]+\n$/) as string,
  });
  writeFileSync(join(workplace.folder, 'rejoin.yaml'), 'version: [1\n');
  expect(await synthesize()).toMatchObject({
    code: 1,
    output: '',
    errors: expect.stringMatching(
      /^rejoin\.yaml has 1 problem:\n +rejoin\.yaml:2:1: this is not YAML: [^\n]+\n$/,
    ) as string,
  });
  expect(readdirSync(workplace.folder).sort()).toEqual(['node_modules', 'rejoin.yaml', 'tmp']);
});

describe('Node.js', () => {
  const script = join(__dirname, '..', '..', '..', 'scripts', 'check-node.cjs');
  const checkAs = (version: string) =>
    spawnSync(
      process.execPath,
      [
        '-e',
        `Object.defineProperty(process, 'versions', { value: { node: '${version}' } });
         Object.defineProperty(process, 'version', { value: 'v${version}' });
         require(${JSON.stringify(script)})`,
      ],
      { encoding: 'utf8' },
    );

  test.each(['0.12.18', '18.20.8', '19.9.0'])('%s is too old, which is said before anything else runs', (version) => {
    expect(checkAs(version)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `rejoin needs Node.js 20 or later; this is v${version}; install a newer one and try again\n`,
    });
  });

  test.each(['20.0.0', '22.11.0', '100.0.0'])('%s is new enough', (version) => {
    expect(checkAs(version)).toMatchObject({ status: 0, stderr: '' });
  });

  test('is checked first by every command that runs our code', () => {
    const read = (file: string): unknown =>
      JSON.parse(readFileSync(join(__dirname, '..', '..', '..', file), 'utf8')) as unknown;
    const { scripts } = read('package.json') as { readonly scripts: Readonly<Record<string, string>> };
    const { app } = read('cdk.json') as { readonly app: string };
    for (const command of [scripts['rehearse'], scripts['rejoin'], app]) {
      expect(command).toMatch(/^node scripts\/check-node\.cjs && /);
    }
  });
});
