import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { hostCommandsSend } from '../../adapters/aws/host-commands.permissions';
import { exampleApp, resourcesOf, templatesOf } from './support/example-app';

interface Content {
  readonly parameters: Readonly<Record<string, { readonly allowedPattern?: string; readonly default?: string }>>;
  readonly mainSteps: readonly [{ readonly inputs: { readonly runCommand: readonly string[] } }];
}

const documents = resourcesOf(templatesOf(exampleApp()), 'AWS::SSM::Document').map(
  ([, { Properties }]) => [String(Properties['Name']), Properties['Content'] as Content] as const,
);
const scriptOf = ({ mainSteps }: Content): string => mainSteps[0].inputs.runCommand.join('\n');

/** As Systems Manager puts parameters in. */
function filled(content: Content, given: Readonly<Record<string, string>> = {}): string {
  return scriptOf(content).replaceAll(
    /\{\{ (\w+) \}\}/g,
    (_all, name: string) => given[name] ?? content.parameters[name]?.default ?? '',
  );
}

test('there is a document for each command that a step may send, and no other', () => {
  const [permission] = hostCommandsSend;
  const names = { partition: 'aws', region: 'eu-central-1', account: '111122223333' };
  const allowed = permission?.resources(names as never).map((arn) => arn.split('/')[1]);
  expect(documents.map(([name]) => name).sort()).toEqual([...(allowed ?? [])].sort());
});

test.each(documents)('%s puts in only what is declared, and only in quotes', (_name, content) => {
  const script = scriptOf(content);
  const used = [...script.matchAll(/\{\{ (\w+) \}\}/g)].map(([, name]) => name ?? '');
  expect(Object.keys(content.parameters).sort()).toEqual([...new Set(used)].sort());
  // What is left when quoted words are taken away holds no parameter.
  expect(script.replaceAll(/'[^']*'/g, '')).not.toContain('{{');
});

const parameters = documents.flatMap(([name, { parameters: of }]) =>
  Object.entries(of).map(([parameter, { allowedPattern, default: preset }]) => ({
    parameter: `${name} ${parameter}`,
    allowedPattern,
    preset,
  })),
);

test.each(parameters)('$parameter lets nothing through that a shell would act on', ({ allowedPattern, preset }) => {
  expect(allowedPattern).toMatch(/^\^.*\$$/);
  const pattern = new RegExp(allowedPattern ?? '');
  expect(preset === undefined || pattern.test(preset)).toBe(true);
  fc.assert(
    fc.property(fc.stringMatching(pattern), (text) => {
      expect(text).toMatch(/^[A-Za-z0-9@._/-]+$/);
    }),
  );
  for (const attack of ["a'; reboot; '", '$(reboot)', '`reboot`', 'a b', 'a\nreboot', '-rf', '', '../etc', '/a/../b']) {
    expect(pattern.test(attack)).toBe(false);
  }
});

describe('on a machine', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rejoin-documents-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a document where `systemctl is-active` answers so, after `before`. */
  function run(name: string, isActive: 0 | 3, given: Readonly<Record<string, string>> = {}, before = '') {
    const systemctl = join(folder, 'systemctl');
    writeFileSync(systemctl, `#!/bin/sh\necho "$*" >> '${folder}/calls'\ntest "$1" != is-active || exit ${isActive}\n`);
    chmodSync(systemctl, 0o755);
    const content = documents.find(([each]) => each === name)?.[1];
    return spawnSync('sh', ['-c', content === undefined ? 'exit 127' : `${before}\n${filled(content, given)}`], {
      encoding: 'utf8',
      env: { PATH: `${folder}:${process.env['PATH'] ?? ''}` },
    });
  }

  test('the database is stopped, or it is said that it is not', () => {
    expect(run('rejoin-stop-database', 3)).toMatchObject({ status: 0, stdout: 'the database is stopped\n' });
    expect(run('rejoin-stop-database', 0)).toMatchObject({ status: 1, stderr: 'postgresql still runs\n' });
  });

  test('the database is started, or it is said that it is not', () => {
    expect(run('rejoin-start-database', 0)).toMatchObject({ status: 0, stdout: 'the database runs\n' });
    expect(run('rejoin-start-database', 3).status).toBe(3);
  });

  test('a volume is not exchanged under a running database, nor for a device that is not there', () => {
    const snapshotId = 'snap-0123456789abcdef0';
    expect(run('rejoin-restore-volume', 0, { snapshotId }).stderr).toBe('postgresql runs; stop it first\n');
    expect(run('rejoin-restore-volume', 3, { snapshotId, device: '/dev/rejoin0' })).toMatchObject({
      status: 1,
      stderr: `there is no device /dev/rejoin0: the machine was not launched with ${snapshotId}\n`,
    });
  });

  /** A shell in which each device is there, and its volume mounted where it is wanted. */
  const mounted = `test() { [ "$1" = -b ] || [ "$@" ]; }; readlink() { echo /dev/volume; }; findmnt() { echo /dev/volume; };`;

  // The documents are for Linux, whose chown and sed they use.
  const onLinux = process.platform === 'linux' ? test : test.skip;

  onLinux('the server of a restored volume is a standby that knows nothing of what the volume was', () => {
    const snapshotId = 'snap-0123456789abcdef0';
    const dataDirectory = join(folder, 'data');
    const file = (name: string): string => join(dataDirectory, name);
    mkdirSync(file('pg_replslot/rejoin_node_2'), { recursive: true });
    for (const name of ['PG_VERSION', 'postmaster.pid', 'pg_replslot/rejoin_node_2/state']) {
      writeFileSync(file(name), '');
    }
    writeFileSync(
      file('postgresql.auto.conf'),
      `work_mem = '8MB'\nprimary_conninfo = 'password=secret'\nprimary_slot_name = 'rejoin_node_1'\n`,
    );
    // Only root can give files away.
    const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const server = own.uid === 0 ? { uid: 12_345, gid: 12_346 } : own;
    const restore = () => run('rejoin-restore-volume', 3, { snapshotId, dataDirectory }, mounted);
    const restored = { status: 0, stdout: `the volume is as in ${snapshotId}, of a standby\n`, stderr: '' };
    expect(restore()).toMatchObject(restored);
    expect(restore()).toMatchObject(restored);
    expect(readdirSync(dataDirectory).sort()).toEqual([
      'PG_VERSION',
      'pg_replslot',
      'postgresql.auto.conf',
      'standby.signal',
    ]);
    expect(readdirSync(file('pg_replslot'))).toEqual([]);
    expect(readFileSync(file('postgresql.auto.conf'), 'utf8')).toBe(`work_mem = '8MB'\n`);
    expect(statSync(file('standby.signal')).mode & 0o777).toBe(0o600);
    chownSync(dataDirectory, server.uid, server.gid);
    expect(restore()).toMatchObject(restored);
    for (const name of ['standby.signal', 'postgresql.auto.conf']) {
      expect(statSync(file(name))).toMatchObject(server);
    }
  });

  test('a volume without a data directory is named', () => {
    const dataDirectory = join(folder, 'data');
    mkdirSync(dataDirectory);
    const ended = run('rejoin-restore-volume', 3, { snapshotId: 'snap-00000000', dataDirectory }, mounted);
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toContain('the volume of snap-00000000 is no data directory');
    expect(readdirSync(dataDirectory)).toEqual([]);
  });
});
