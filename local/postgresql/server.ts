import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { messageOf, RejoinError } from '../../core/errors';
import type { Credentials } from '../../core/ports/surroundings';
import { GuardedProcess, type ProcessEnd } from '../processes/guarded-process';
import type { PostgresBinaries } from './binaries';
import { readStatus, writeConfiguration, type ServerConfiguration } from './configuration';

const run = promisify(execFile);

const readyCheckMs = 10;
const startLimitMs = 60_000;
const stopLimitMs = 30_000;

/** What a role may do: everything, be streamed from, or what it is granted. */
export type ServerRoleKind = 'administrator' | 'replication' | 'application';

export interface ServerRole extends Credentials {
  readonly kind: ServerRoleKind;
}

export interface ServerOrder extends ServerConfiguration {
  readonly binaries: PostgresBinaries;
  /** Must exist; belongs to the user of `binaries`. */
  readonly dataDirectory: string;
  readonly logFile: string;
  /** The administrator that the data directory was made with. */
  readonly administrator: Credentials;
  /** Roles and databases that are made where they are missing. */
  readonly roles: readonly ServerRole[];
  readonly databases: readonly string[];
  /** Told of the process as soon as there is one. */
  readonly onStarted?: (started: GuardedProcess) => void;
}

/** A running PostgreSQL server and all its processes. It ends when we end. */
export class PostgresServer {
  private constructor(
    readonly order: ServerOrder,
    readonly process: GuardedProcess,
    private readonly sharedMemoryId: number | null,
  ) {}

  /** Starts a server and waits until it takes connections. @throws ApiRefused with what its log says; NoDiskSpace */
  static async start(order: ServerOrder): Promise<PostgresServer> {
    const { binaries, dataDirectory } = order;
    await writeConfiguration(binaries.user, dataDirectory, order);
    const started = await GuardedProcess.start({
      argv: [join(binaries.directory, 'bin', 'postgres'), '-D', dataDirectory],
      environment: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
      workingDirectory: dataDirectory,
      logFile: order.logFile,
      user: binaries.user,
    });
    order.onStarted?.(started);
    try {
      const sharedMemoryId = await awaitReady(started, order);
      await makeRolesAndDatabases(order);
      return new PostgresServer(order, started, sharedMemoryId);
    } catch (thrown) {
      await started.kill();
      throw thrown;
    }
  }

  /** Resolves when the server has ended, whoever ended it. */
  get ended(): Promise<ProcessEnd> {
    return this.process.ended;
  }

  get running(): boolean {
    return this.process.exit === null;
  }

  /** `fast`: sessions are ended and everything is written; `immediate`: as a crash, but orderly. Killed when it takes too long. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    this.process.signal(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    const limit = new AbortController();
    const stopped = await Promise.race([
      this.ended.then(() => true),
      delay(stopLimitMs, false, { signal: limit.signal }).catch(() => false),
    ]);
    limit.abort();
    if (!stopped) {
      await this.kill();
    }
  }

  /**
   * SIGKILL to every process of the server: a power cut, except that what the system holds in memory is kept. The first of
   * them gets SIGQUIT when all others are dead: it writes nothing any more, and they don't stay zombies.
   */
  async kill(): Promise<void> {
    await this.process.kill('SIGQUIT');
    await removeRemains(this.order.dataDirectory, this.sharedMemoryId);
  }

  pause(): void {
    this.process.pause();
  }

  resume(): void {
    this.process.resume();
  }

  /** Kills it if it runs, and removes its data. */
  async destroy(): Promise<void> {
    await this.kill();
    await rm(this.order.dataDirectory, { recursive: true, force: true });
  }
}

/** Starts a server. @throws as PostgresServer.start */
export function startServer(order: ServerOrder): Promise<PostgresServer> {
  return PostgresServer.start(order);
}

/** What a killed server leaves: its lock file, and a page of shared memory that would stay until the next boot. */
export async function removeRemains(dataDirectory: string, sharedMemoryId: number | null): Promise<void> {
  const id = (await readStatus(dataDirectory))?.sharedMemoryId ?? sharedMemoryId;
  await rm(join(dataDirectory, 'postmaster.pid'), { force: true });
  if (id !== null) {
    // Refused while a process uses it, or when it's gone: nothing to do in either case.
    await run('ipcrm', ['-m', String(id)]).catch(() => undefined);
  }
}

async function awaitReady(started: GuardedProcess, order: ServerOrder): Promise<number | null> {
  const givesUpAt = performance.now() + startLimitMs;
  for (;;) {
    const status = await readStatus(order.dataDirectory);
    if (status?.pid === started.pid && status.ready) {
      return status.sharedMemoryId;
    }
    if (started.exit !== null) {
      throw await startFailure(order, `ended with ${started.exit.code ?? started.exit.signal ?? 'nothing'}`);
    }
    if (performance.now() > givesUpAt) {
      throw await startFailure(order, `is not ready after ${startLimitMs / 1000} s`);
    }
    await delay(readyCheckMs);
  }
}

async function startFailure(order: ServerOrder, what: string): Promise<RejoinError> {
  const log = await readFile(order.logFile, 'utf8').catch(() => '');
  const newest = log.trimEnd().split('\n').slice(-8).join('\n');
  if (newest.includes('Address already in use')) {
    return new RejoinError(
      'ApiRefused',
      `port ${order.port} of ${order.host} is taken by another process; end that process, or choose another port`,
    );
  }
  if (newest.includes('Cannot assign requested address') || newest.includes("Can't assign requested address")) {
    return new RejoinError(
      'ApiRefused',
      `this machine has no address ${order.host}; on macOS run 'sudo ifconfig lo0 alias ${order.host}'`,
    );
  }
  if (newest.includes('No space left')) {
    return new RejoinError(
      'NoDiskSpace',
      `no space left on the disk of ${order.dataDirectory}; free some and start again`,
    );
  }
  return new RejoinError(
    'ApiRefused',
    `PostgreSQL on ${order.host}:${order.port} ${what}; its log ${order.logFile} ends with:\n${newest}`,
  );
}

async function makeRolesAndDatabases(order: ServerOrder): Promise<void> {
  if (order.roles.length === 0 && order.databases.length === 0) {
    return;
  }
  const client = new Client({
    host: order.host,
    port: order.port,
    database: 'postgres',
    user: order.administrator.username,
    password: order.administrator.password,
    // The certificate was written a moment ago to this very server.
    ssl: order.tls === null ? false : { rejectUnauthorized: false },
    options: '-c synchronous_commit=local',
  });
  try {
    await client.connect();
    for (const role of order.roles) {
      await makeRole(client, role);
    }
    for (const database of order.databases) {
      const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
      if (found.rowCount === 0) {
        await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
      }
    }
  } catch (thrown) {
    throw new RejoinError(
      'ApiRefused',
      `roles and databases can't be made on ${order.host}:${order.port}: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  } finally {
    await client.end();
  }
}

async function makeRole(client: Client, role: ServerRole): Promise<void> {
  const found = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role.username]);
  if (found.rowCount === 0) {
    const attributes = { administrator: 'SUPERUSER', replication: 'REPLICATION', application: '' }[role.kind];
    await client.query(
      `CREATE ROLE ${client.escapeIdentifier(role.username)} LOGIN ${attributes} PASSWORD ${client.escapeLiteral(role.password)}`,
    );
  }
}
