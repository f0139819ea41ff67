import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { DatabaseAddress } from '../../core/ports/database-engine';
import type { Credentials } from '../../core/ports/surroundings';
import type { ConnectionSource } from '../../engines/postgresql/connection';
import { identifier } from '../../engines/postgresql/identifier';
import { LoopbackRange } from '../../local/machines/loopback';
import { findBinaries } from '../../local/postgresql/binaries';
import { CertificateAuthority } from '../../local/postgresql/certificate-authority';
import {
  copyDataDirectory,
  makeServerDirectory,
  makeStandby,
  makeTemplate,
} from '../../local/postgresql/data-directory';
import { takeCopy } from '../../local/machines/volume-copy';
import { startServer, type PostgresServer, type ServerOrder } from '../../local/postgresql/server';

const port = 5432;

export interface TestServerOptions {
  /** @default 'test' */
  readonly cluster?: string;
  /** @default 'node-1' */
  readonly nodeId?: string;
  /** True: fsync stays on, so that a kill loses no commit. @default false */
  readonly durable?: boolean;
  /** True: takes encrypted connections only, and `source` has the authority of its certificate. @default false */
  readonly tls?: boolean;
  /** Lines of postgresql.conf, such as `{ max_slot_wal_keep_size: '1MB' }`. @default {} */
  readonly settings?: Readonly<Record<string, string>>;
  /** A running server whose data it begins with, as a physical standby that receives nobody's log yet. @default null: no data */
  readonly standbyOf?: TestServer;
}

/** A real PostgreSQL server of its own address and data directory. Call `stop` in `afterAll`. */
export interface TestServer {
  /** Its `database` is `postgres`; see `freshDatabase`. */
  readonly address: DatabaseAddress;
  /** A superuser. */
  readonly credentials: Credentials;
  readonly source: ConnectionSource;
  /** Of its certificate; null: not encrypted. */
  readonly authority: CertificateAuthority | null;
  readonly server: PostgresServer;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
  /** SIGKILL to all its processes; the data stays until `stop`, for `restart`. */
  kill(): Promise<void>;
  /** Starts it again, on the same address and data. */
  restart(): Promise<void>;
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const range = await LoopbackRange.claim();
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-test-postgresql-'));
  const cleanUp = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    await range.release();
  };
  try {
    return await startIn(folder, range.address(0, 1), options, cleanUp);
  } catch (thrown) {
    await cleanUp();
    throw thrown;
  }
}

async function startIn(
  folder: string,
  host: string,
  options: TestServerOptions,
  cleanUp: () => Promise<void>,
): Promise<TestServer> {
  const binaries = await findBinaries();
  const { standbyOf } = options;
  const credentials = standbyOf?.credentials ?? { username: 'admin', password: randomBytes(12).toString('hex') };
  // The server's user has to pass.
  await chmod(folder, 0o711);
  const authority = standbyOf?.authority ?? (options.tls === true ? await CertificateAuthority.make() : null);
  const place = join(folder, 'server');
  await makeServerDirectory(binaries.user, place);
  const order: ServerOrder = {
    binaries,
    dataDirectory: join(place, 'data'),
    logFile: join(place, 'server.log'),
    host,
    port,
    tls: (await authority?.issue([host])) ?? null,
    durable: options.durable ?? false,
    settings: options.settings ?? {},
    administrator: credentials,
    roles: [],
    databases: [],
  };
  if (standbyOf === undefined) {
    const template = join(folder, 'template');
    await makeTemplate(binaries, template, credentials);
    await copyDataDirectory(binaries.user, template, order.dataDirectory);
  } else {
    await takeCopy(standbyOf.server.order, order.dataDirectory);
    await makeStandby(binaries.user, order.dataDirectory);
  }
  let server = await startServer(order);
  return {
    address: {
      cluster: options.cluster ?? 'test',
      nodeId: options.nodeId ?? 'node-1',
      host,
      port,
      database: 'postgres',
    },
    credentials,
    authority,
    source: { credentials: async () => credentials, certificateAuthority: async () => authority?.certificate ?? null },
    get server() {
      return server;
    },
    stop: async () => {
      await server.kill();
      await cleanUp();
    },
    kill: () => server.kill(),
    restart: async () => {
      await server.kill();
      server = await startServer(order);
    },
  };
}

let databases = 0;

/** Creates an empty database and returns its address. */
export async function freshDatabase(server: TestServer): Promise<DatabaseAddress> {
  databases += 1;
  const database = `test_${databases}`;
  const client = await testClient(server, server.address);
  try {
    await client.query(`CREATE DATABASE ${identifier(database)}`);
  } finally {
    await client.end();
  }
  return { ...server.address, database };
}

/** A session on a test server, which the caller ends. */
export async function testClient(server: TestServer, address: DatabaseAddress): Promise<Client> {
  const client = new Client({
    host: address.host,
    port: address.port,
    database: address.database,
    user: server.credentials.username,
    password: server.credentials.password,
    ssl: server.authority === null ? false : { ca: server.authority.certificate },
  });
  // A killed server also breaks idle sessions; the next query tells.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
