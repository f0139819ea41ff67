import { isIP, Socket } from 'node:net';
import { Client, DatabaseError } from 'pg';
import { messageOf } from '../../../core/errors';
import type { DatabaseAddress, DatabaseProbe } from '../../../core/ports/database-engine';
import { reachableHost, type ConnectionSource } from '../connection';

/** Nobody serves behind the port, or whoever does hung up at once. */
const refusals = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
]);

/**
 * Connects, authenticates and runs `SELECT 1`, all within `timeoutMs`. An unreachable server is a verdict, not an error.
 * A host name that can't be resolved says nothing of the node, so it counts as an answer that did not come in time.
 *
 * @throws what `source` throws when it has no credentials
 */
export async function probe(
  source: ConnectionSource,
  address: DatabaseAddress,
  timeoutMs: number,
): Promise<DatabaseProbe> {
  const startedAt = performance.now();
  const [credentials, ca] = await Promise.all([
    source.credentials(address.cluster),
    source.certificateAuthority(address.cluster),
  ]);
  const socket = new Socket();
  const askOnce = async (): Promise<Answer> => {
    const client = new Client({
      host: await reachableHost(source, address),
      port: address.port,
      database: address.database,
      user: credentials.username,
      password: credentials.password,
      ssl: ca === null ? false : { ca, rejectUnauthorized: true, ...serverName(address.host) },
      application_name: 'rejoin probe',
      // Our own socket, so that a server that accepts and then says nothing can be hung up on.
      stream: () => socket,
    });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('SELECT 1');
    return { verdict: 'answers', detail: 'SELECT 1 ran' };
  };
  const answer = await firstOf(askOnce().catch(verdictOf), timeoutMs);
  socket.destroy();
  return { ...answer, tookMs: Math.round(performance.now() - startedAt) };
}

type Answer = Pick<DatabaseProbe, 'verdict' | 'detail'>;

/** Certificates are compared with names; TLS allows no address in this place. */
function serverName(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}

/** What a failed probe means. */
function verdictOf(thrown: unknown): Answer {
  if (thrown instanceof DatabaseError) {
    return { verdict: 'failing', detail: `${thrown.code ?? 'no code'}: ${thrown.message}` };
  }
  const code = codeOf(thrown);
  const hungUp = messageOf(thrown).includes('Connection terminated');
  if ((code !== null && refusals.has(code)) || hungUp) {
    return {
      verdict: 'refused',
      detail: code === null ? 'the connection was closed' : `${code}: ${messageOf(thrown)}`,
    };
  }
  if (code !== null && /^(ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/.test(code)) {
    return { verdict: 'timed out', detail: `${code}: ${messageOf(thrown)}` };
  }
  return { verdict: 'failing', detail: messageOf(thrown) };
}

/** The system's code. Looks at the shape: an error may come from another realm, where its class is another one. */
function codeOf(thrown: unknown): string | null {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : null;
}

async function firstOf(asked: Promise<Answer>, timeoutMs: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => {
      resolve({ verdict: 'timed out', detail: `no answer within ${timeoutMs} ms` });
    }, timeoutMs);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
