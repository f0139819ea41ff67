import { chmod, chown, constants, copyFile, lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { messageOf, RejoinError } from '../../core/errors';
import type { ServerOrder } from '../postgresql/server';
import type { ServerUser } from '../postgresql/server-user';

/** What one running server knows and another one must not find. */
const left: ReadonlySet<string> = new Set([
  'postmaster.pid',
  'postmaster.opts',
  'pg_dynshmem',
  'pg_stat_tmp',
  'pgsql_tmp',
]);

/** Copied after all others: a standby's says how much of the log is needed to make sense of them. */
const controlFile = 'pg_control';

/**
 * Copies the data directory of a running server, which may be a standby, between `pg_backup_start` and `pg_backup_stop`:
 * what a volume snapshot of it would hold. The log comes last, so that it reaches the end of the backup.
 *
 * @throws NoDiskSpace; ApiRefused with what the server said
 */
export async function takeCopy(order: ServerOrder, directory: string): Promise<void> {
  const client = new Client({
    host: order.host,
    port: order.port,
    database: 'postgres',
    user: order.administrator.username,
    password: order.administrator.password,
    ssl: order.tls === null ? false : { rejectUnauthorized: false },
  });
  try {
    await client.connect();
    await client.query(`SELECT pg_backup_start('rejoin', fast => true)`);
    const { user } = order.binaries;
    await copyTree(user, order.dataDirectory, directory, new Set([...left, 'pg_wal', controlFile]));
    const control = join('global', controlFile);
    await copyOne(user, join(order.dataDirectory, control), join(directory, control));
    const stopped = await client.query<{ labelfile: string }>(
      'SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)',
    );
    await copyTree(user, join(order.dataDirectory, 'pg_wal'), join(directory, 'pg_wal'), left);
    const label = join(directory, 'backup_label');
    await writeFile(label, stopped.rows[0]?.labelfile ?? '', { mode: 0o600 });
    await give(user, label);
  } catch (thrown) {
    await rm(directory, { recursive: true, force: true });
    const full = (thrown as NodeJS.ErrnoException).code === 'ENOSPC';
    throw new RejoinError(
      full ? 'NoDiskSpace' : 'ApiRefused',
      `no snapshot of ${order.host} was taken: ${messageOf(thrown)}${full ? '; free space on this disk' : ''}`,
      { cause: thrown },
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Copies files that come, go and change meanwhile; the log repairs what was copied in the middle of a change. */
async function copyTree(
  user: ServerUser | null,
  from: string,
  to: string,
  without: ReadonlySet<string>,
): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  await give(user, to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (without.has(entry.name)) {
      if (entry.isDirectory()) {
        await mkdir(target, { mode: 0o700 });
        await give(user, target);
      }
    } else if (entry.isDirectory()) {
      await copyTree(user, source, target, without).catch(unlessGone);
    } else {
      await copyOne(user, source, target).catch(unlessGone);
    }
  }
}

async function copyOne(user: ServerUser | null, source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_FICLONE);
  await chmod(target, (await lstat(source)).mode & 0o777);
  await give(user, target);
}

async function give(user: ServerUser | null, path: string): Promise<void> {
  if (user !== null) {
    await chown(path, user.uid, user.gid);
  }
}

function unlessGone(thrown: unknown): void {
  if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') {
    throw thrown;
  }
}
