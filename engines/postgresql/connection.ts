import type { Socket } from 'node:net';
import { Client, DatabaseError } from 'pg';
import type { Credentials } from '../../core/ports/surroundings';
import type { DatabaseAddress } from '../../core/ports/database-engine';
import { isRejoinError, messageOf, RejoinError } from '../../core/errors';

/** What the engine needs to reach a server. */
export interface ConnectionSource {
  credentials(cluster: string): Promise<Credentials>;
  /** The certificate authority that servers are verified against; null: the cluster has TLS disabled (loopback only). */
  certificateAuthority(cluster: string): Promise<string | null>;
  /** The IP address of a host that the system's own resolver does not know. @default the system's resolver */
  addressOf?(host: string): Promise<string>;
  /** The socket to connect with. @default the system chooses the address that a connection comes from */
  readonly socket?: () => Socket;
}

export interface SessionOptions {
  /** Ends a statement that takes longer. */
  readonly statementTimeoutMs: number;
  /** `replica`: triggers and foreign keys don't fire, as for a replication worker. */
  readonly role: 'origin' | 'replica';
}

/** For short statements. */
export const shortSession: SessionOptions = { statementTimeoutMs: 15_000, role: 'origin' };
/** For loading and applying rows. */
export const rowSession: SessionOptions = { statementTimeoutMs: 600_000, role: 'replica' };

const connectTimeoutMs = 5_000;

/** SQLSTATE classes and codes after which the same statement may succeed later. */
const transientStates = /^(08|57P0|53300|55006|55P03|25P03|40001|40P01)/;

/**
 * Runs `work` in one session of its own. Fixed settings make text output the same everywhere: checksums and COPY data
 * depend on it. `synchronous_commit` is local, because a session of ours must never wait for a dead follower.
 *
 * @throws SqlUnavailable when the server can't be reached or said to try again; NoDiskSpace; SqlFailed otherwise, with the cause
 */
export async function withSession<T>(
  source: ConnectionSource,
  address: DatabaseAddress,
  options: SessionOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(source, address, options);
  try {
    return await work(client);
  } catch (thrown) {
    throw asRejoinError(thrown, address);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Runs `work` in a transaction of that session, rolled back when it throws. */
export async function inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (thrown) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw thrown;
  }
}

/** What to connect to: the name itself, unless the source knows names that the system does not. */
export async function reachableHost(source: ConnectionSource, address: DatabaseAddress): Promise<string> {
  return (await source.addressOf?.(address.host)) ?? address.host;
}

/** Opens a session that the caller ends. @throws as withSession */
export async function connect(
  source: ConnectionSource,
  address: DatabaseAddress,
  options: SessionOptions,
): Promise<Client> {
  const [credentials, ca, host] = await Promise.all([
    source.credentials(address.cluster),
    source.certificateAuthority(address.cluster),
    reachableHost(source, address),
  ]);
  const client = new Client({
    host,
    port: address.port,
    database: address.database,
    user: credentials.username,
    password: credentials.password,
    ...(source.socket === undefined ? {} : { stream: source.socket }),
    ssl: ca === null ? false : { ca, rejectUnauthorized: true },
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: 'rejoin',
    keepAlive: true,
    options: [
      `statement_timeout=${options.statementTimeoutMs}`,
      `session_replication_role=${options.role}`,
      'synchronous_commit=local',
      'TimeZone=UTC',
      'DateStyle=ISO,YMD',
      'IntervalStyle=postgres',
      'extra_float_digits=3',
      'bytea_output=hex',
      'client_encoding=UTF8',
      'lc_monetary=C',
      'xmloption=content',
      // Rows that a policy hides are an error, and not just missing.
      'row_security=off',
      // Compiling takes longer than most of what we ask.
      'jit=off',
      'search_path=pg_catalog',
    ]
      .map((setting) => `-c ${setting}`)
      .join(' '),
  });
  // A broken connection also shows in the running query, which is where it is handled.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (thrown) {
    await client.end().catch(() => undefined);
    throw asRejoinError(thrown, address);
  }
}

/** Whatever went wrong in a session with that node, by the names of withSession. */
export function asRejoinError(thrown: unknown, address: DatabaseAddress): Error {
  if (isRejoinError(thrown)) {
    return thrown;
  }
  const where = `node '${address.nodeId}' of cluster '${address.cluster}' (${address.host}:${address.port})`;
  if (thrown instanceof DatabaseError) {
    const said = `${where} answered ${thrown.code ?? 'without a code'}: ${thrown.message}`;
    if (thrown.code === '53100') {
      return new RejoinError('NoDiskSpace', `${said}; free space on that node`, { cause: thrown });
    }
    return new RejoinError(transientStates.test(thrown.code ?? '') ? 'SqlUnavailable' : 'SqlFailed', said, {
      cause: thrown,
    });
  }
  return new RejoinError('SqlUnavailable', `${where} can't be reached: ${messageOf(thrown)}`, { cause: thrown });
}
