import { execFileSync } from 'node:child_process';
import { RejoinError } from '../../core/errors';

/** An operating system user without privileges. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const ownUser = 'rejoin';

/** Ways to make a system user: util-linux, then BusyBox. */
const makers: readonly (readonly [string, ...string[]])[] = [
  ['useradd', '--system', '--no-create-home', '--shell', '/usr/sbin/nologin', ownUser],
  ['adduser', '-S', '-D', '-H', ownUser],
];

/** What is asked about users, and makes them. */
export interface UserSystem {
  /** Our own user's id; null where the system has none. */
  readonly uid: number | null;
  /** Runs a program to its end. @returns its standard output @throws when it fails or is not there */
  run(program: string, parameters: readonly string[]): string;
}

const thisSystem: UserSystem = {
  uid: process.getuid?.() ?? null,
  run: (program, parameters) =>
    execFileSync(program, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
};

/**
 * The user that servers run as, or null when they can run as us. PostgreSQL refuses root: then it is the user 'rejoin',
 * made where there is none, and 'nobody' where none can be made.
 *
 * @throws NotFound when we are root and there is no other user
 */
export function serverUser(system: UserSystem = thisSystem): ServerUser | null {
  if (system.uid !== 0) {
    return null;
  }
  const user = lookUp(system, ownUser) ?? makeUser(system) ?? lookUp(system, 'nobody');
  if (user === null) {
    throw new RejoinError(
      'NotFound',
      `PostgreSQL refuses to run as root, and there is no user '${ownUser}' and none could be made; run 'useradd --system ${ownUser}' or run this as another user`,
    );
  }
  return user;
}

function makeUser(system: UserSystem): ServerUser | null {
  for (const [command, ...parameters] of makers) {
    try {
      system.run(command, parameters);
    } catch {
      // Not installed, not allowed, or another process has just made it: looking it up tells.
    }
    const user = lookUp(system, ownUser);
    if (user !== null) {
      return user;
    }
  }
  return null;
}

function lookUp(system: UserSystem, name: string): ServerUser | null {
  try {
    return { name, uid: Number(system.run('id', ['-u', name])), gid: Number(system.run('id', ['-g', name])) };
  } catch {
    return null;
  }
}
