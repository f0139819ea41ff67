import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Stack } from 'aws-cdk-lib';
import { CfnPolicy } from 'aws-cdk-lib/aws-iam';
import { loadSettings } from '../../lib/config/load';
import { projectRoot } from '../../lib/constructs/bundling';
import { checkApp } from '../../lib/stacks/check-app';
import { makeApp } from '../../lib/stacks/make-app';
import { exampleFile, resourcesOf, stacksOf, templatesOf } from './support/example-app';

const { settings } = loadSettings(exampleFile);

const inOwnNetwork: typeof settings = {
  ...settings,
  keyArn: 'arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef',
  vpc: {
    ...settings.vpc,
    endpoints: 'create',
    cidr: '10.0.0.0/16',
    routeTableIds: ['rtb-0123456789abcdef0'],
  },
};

test.each([
  ['the example', settings],
  ['with a key of its own and endpoints', inOwnNetwork],
])('neither cdk-nag nor the rules of CloudFormation find anything without a written reason: %s', (_what, given) => {
  const app = makeApp(given, { bundle: false });
  checkApp(app);
  expect(() => app.synth()).not.toThrow();
});

test('a wildcard that nobody gave a reason for is a finding', () => {
  const app = makeApp(settings, { bundle: false, validate: false });
  const [stack] = stacksOf(app);
  new CfnPolicy(stack ?? new Stack(), 'TooMuch', {
    policyName: 'too-much',
    policyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] },
    roles: ['any'],
  });
  checkApp(app);
  expect(() => app.synth()).toThrow('AwsSolutions-IAM5[Resource::*]');
});

test('every function names a file that exists', () => {
  const entries = resourcesOf(
    templatesOf(makeApp(settings, { bundle: false, validate: false })),
    'AWS::Lambda::Function',
  ).map(([, { Metadata }]) => String(Metadata?.['rejoin:entry']));
  expect(entries.length).toBeGreaterThan(20);
  expect(entries.filter((entry) => !existsSync(join(projectRoot, entry)))).toEqual([]);
});

test('account and Region of rejoin.yaml are those of the stacks', () => {
  const app = makeApp(
    { ...settings, account: '111122223333', region: 'eu-central-1' },
    { bundle: false, validate: false },
  );
  for (const stack of stacksOf(app)) {
    expect(stack.environment).toBe('aws://111122223333/eu-central-1');
  }
});

describe('the command', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rejoin-app-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function synthesize(config: string): { status: number | null; stderr: string } {
    return spawnSync(process.execPath, ['--import', 'tsx', join(projectRoot, 'bin', 'rejoin-app.ts')], {
      cwd: projectRoot,
      env: { ...process.env, REJOIN_CONFIG: config, CDK_OUTDIR: join(folder, 'out') },
      encoding: 'utf8',
    });
  }

  test('says in a sentence that there is no rejoin.yaml', () => {
    const missing = join(folder, 'rejoin.yaml');
    expect(synthesize(missing)).toMatchObject({
      status: 1,
      stderr: `there is no file ${missing}; copy rejoin.example.yaml to rejoin.yaml and fill it in, or name another file in REJOIN_CONFIG\n`,
    });
  });

  test('names every mistake by line, without a stack trace', () => {
    writeFileSync(join(folder, 'rejoin.yaml'), 'version: 2\nclusters: {}\n');
    const { status, stderr } = synthesize(join(folder, 'rejoin.yaml'));
    expect(status).toBe(1);
    expect(stderr).toContain('rejoin.yaml:1:10  version: 2 is not allowed; allowed: 1');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
