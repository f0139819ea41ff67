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

/**
 * The user that servers run as, or null when they can run as us. PostgreSQL refuses root: then it is the user 'rejoin',
 * made where there is none, and 'nobody' where none can be made.
 *
 * @throws NotFound when we are root and there is no other user
 */
export function serverUser(): ServerUser | null {
  if (process.getuid?.() !== 0) {
    return null;
  }
  const user = lookUp(ownUser) ?? makeUser() ?? lookUp('nobody');
  if (user === null) {
    throw new RejoinError(
      'NotFound',
      `PostgreSQL refuses to run as root, and there is no user '${ownUser}' and none could be made; run 'useradd --system ${ownUser}' or run this as another user`,
    );
  }
  return user;
}

function makeUser(): ServerUser | null {
  for (const [command, ...parameters] of makers) {
    try {
      execFileSync(command, parameters, { stdio: 'ignore' });
    } catch {
      // Not installed, not allowed, or another process has just made it: looking it up tells.
    }
    const user = lookUp(ownUser);
    if (user !== null) {
      return user;
    }
  }
  return null;
}

function lookUp(name: string): ServerUser | null {
  const id = (flag: '-u' | '-g'): number =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { name, uid: id('-u'), gid: id('-g') };
  } catch {
    return null;
  }
}
