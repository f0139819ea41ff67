import { execFile } from 'node:child_process';
import { chown, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, RejoinError } from '../../core/errors';
import type { Credentials } from '../../core/ports/surroundings';
import type { PostgresBinaries } from './binaries';
import type { ServerUser } from './server-user';

const run = promisify(execFile);

/**
 * Makes an empty data directory to be copied for each server: `initdb` takes seconds, a copy does not. One that is there
 * already stays.
 *
 * @throws NoDiskSpace; ApiRefused with what initdb said
 */
export async function makeTemplate(
  binaries: PostgresBinaries,
  directory: string,
  administrator: Credentials,
): Promise<void> {
  if ((await stat(directory).catch(() => null)) !== null) {
    return;
  }
  const draft = await mkdtemp(`${directory}-`);
  const passwordFile = join(draft, 'password');
  try {
    await writeFile(passwordFile, administrator.password, { mode: 0o600 });
    await giveTo(binaries.user, draft);
    await giveTo(binaries.user, passwordFile);
    await runAs(binaries.user, [
      join(binaries.directory, 'bin', 'initdb'),
      `--pgdata=${join(draft, 'data')}`,
      `--username=${administrator.username}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ]);
    await rename(join(draft, 'data'), directory).catch(async (thrown: unknown) => {
      // Another process may have made it meanwhile.
      if ((await stat(directory).catch(() => null)) === null) {
        throw thrown;
      }
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Copies a data directory on which no server runs, or that a base backup holds still; `to` must not exist. */
export async function copyDataDirectory(user: ServerUser | null, from: string, to: string): Promise<void> {
  await runAs(user, ['cp', '-R', '-p', from, to]);
}

/**
 * Makes a server that will run on a copy of another one's data a standby: it never accepts writes by itself. It forgets
 * whose log that other one received, and the slots by which that one kept its log for others.
 */
export async function makeStandby(user: ServerUser | null, directory: string): Promise<void> {
  const signal = join(directory, 'standby.signal');
  await writeFile(signal, '', { mode: 0o600 });
  await giveTo(user, signal);
  const slots = join(directory, 'pg_replslot');
  for (const slot of await readdir(slots)) {
    await rm(join(slots, slot), { recursive: true, force: true });
  }
  const settings = join(directory, 'postgresql.auto.conf');
  const lines = (await readFile(settings, 'utf8')).split('\n');
  await writeFile(settings, lines.filter((line) => !/^primary_(conninfo|slot_name)\b/.test(line)).join('\n'));
}

/** Makes a directory that belongs to the user that servers run as. */
export async function makeServerDirectory(user: ServerUser | null, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await giveTo(user, directory);
}

/** Whether the user can write into the directory: the way to it may be closed. */
export async function canWrite(user: ServerUser | null, directory: string): Promise<boolean> {
  return runAs(user, ['test', '-w', directory]).then(
    () => true,
    () => false,
  );
}

async function giveTo(user: ServerUser | null, path: string): Promise<void> {
  if (user !== null) {
    await chown(path, user.uid, user.gid);
  }
}

async function runAs(user: ServerUser | null, argv: readonly [string, ...string[]]): Promise<void> {
  const [program, ...parameters] = argv;
  try {
    await run(program, parameters, {
      cwd: '/',
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    });
  } catch (thrown) {
    const said = (thrown as { stderr?: string }).stderr?.trim() ?? '';
    const detail = said === '' ? messageOf(thrown) : said;
    if (detail.includes('No space left')) {
      throw new RejoinError(
        'NoDiskSpace',
        `no space left on the disk of ${dirname(parameters.at(-1) ?? '/')}; free some and start again`,
        { cause: thrown },
      );
    }
    throw new RejoinError('ApiRefused', `${program} failed: ${detail}`, { cause: thrown });
  }
}
