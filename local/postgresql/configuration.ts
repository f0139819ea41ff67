import { chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerUser } from './server-user';

export interface ServerCertificate {
  /** PEM; the chain of the server's certificate. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
}

export interface ServerConfiguration {
  /** A loopback address. */
  readonly host: string;
  readonly port: number;
  /** Null: connections are not encrypted, which loopback allows. */
  readonly tls: ServerCertificate | null;
  /** False only where a lost server is of no interest: tests. */
  readonly durable: boolean;
  /** What else postgresql.conf says; wins over what is set here. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A node of 16 primary shards has a slot and a sender for each, follows as many, and copies some of them meanwhile. */
const standardSettings: Readonly<Record<string, string>> = {
  wal_level: 'logical',
  max_connections: '200',
  max_replication_slots: '64',
  max_wal_senders: '64',
  max_active_replication_origins: '64',
  max_logical_replication_workers: '64',
  max_worker_processes: '96',
  wal_sender_timeout: '10s',
  wal_receiver_timeout: '10s',
  max_slot_wal_keep_size: '2GB',
  track_commit_timestamp: 'off',
  shared_buffers: '64MB',
  max_wal_size: '1GB',
  // Reads and writes are in the page cache of one machine: workers for them are only more processes.
  io_method: 'sync',
  // Files in the data directory go with it; the other kinds outlive a server that was killed.
  dynamic_shared_memory_type: 'mmap',
  unix_socket_directories: '',
  log_line_prefix: '%m [%p] %a ',
  logging_collector: 'off',
};

const lossy: Readonly<Record<string, string>> = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** Writes postgresql.conf and pg_hba.conf. What ALTER SYSTEM said stays, and wins. */
export async function writeConfiguration(
  user: ServerUser | null,
  dataDirectory: string,
  configuration: ServerConfiguration,
): Promise<void> {
  const { tls } = configuration;
  const settings: Record<string, string> = {
    ...standardSettings,
    ...(configuration.durable ? {} : lossy),
    listen_addresses: configuration.host,
    port: String(configuration.port),
    ssl: tls === null ? 'off' : 'on',
    ...configuration.settings,
  };
  const write = async (name: string, text: string): Promise<void> => {
    const path = join(dataDirectory, name);
    await writeFile(path, text, { mode: 0o600 });
    if (user !== null) {
      await chown(path, user.uid, user.gid);
    }
  };
  if (tls !== null) {
    await write('server.crt', tls.certificate);
    await write('server.key', tls.privateKey);
  }
  await write('postgresql.conf', lines(Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}`)));
  const kind = tls === null ? 'host' : 'hostssl';
  await write(
    'pg_hba.conf',
    lines(['all', 'replication'].map((database) => `${kind} ${database} all 127.0.0.0/8 scram-sha-256`)),
  );
}

/** What a running server says of itself in its data directory. */
export interface ServerStatus {
  readonly pid: number;
  readonly ready: boolean;
  /** The id of its System V shared memory, or null while it has none. */
  readonly sharedMemoryId: number | null;
}

/** Reads postmaster.pid, or null when there is none. */
export async function readStatus(dataDirectory: string): Promise<ServerStatus | null> {
  const text = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) {
    return null;
  }
  const [pid, , , , , , sharedMemory, status] = text.split('\n').map((line) => line.trim());
  const id = sharedMemory?.split(/\s+/)[1];
  return { pid: Number(pid), ready: status === 'ready', sharedMemoryId: id === undefined ? null : Number(id) };
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function lines(entries: readonly string[]): string {
  return `${entries.join('\n')}\n`;
}
