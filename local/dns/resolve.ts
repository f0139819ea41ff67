import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { decode, encode, RECURSION_DESIRED, streamEncode, type Answer, type DecodedPacket } from 'dns-packet';
import { RejoinError } from '../../core/errors';

export interface DnsServerAddress {
  readonly host: string;
  readonly port: number;
}

interface Cached {
  readonly address: Promise<string>;
  /** On the clock that never goes back; infinity while it is being asked for. */
  expiresAtMs: number;
}

const triesBeforeFailure = 3;
const tryTimeoutMs = 500;
const mostCached = 1_000;

/** By server and name, oldest first. */
const cache = new Map<string, Cached>();

/**
 * The IPv4 address of a name, as a client finds it: asked at most once a TTL, however many ask at a time.
 *
 * @throws NotFound when the name has no address; ApiThrottled when the server does not answer
 */
export async function resolve(name: string, options: { readonly server: DnsServerAddress }): Promise<string> {
  const { server } = options;
  const key = `${server.host}:${server.port}/${name.toLowerCase()}`;
  const cached = cache.get(key);
  if (cached !== undefined && performance.now() < cached.expiresAtMs) {
    return cached.address;
  }
  const asking = ask(name, server);
  const entry: Cached = { address: asking.then(({ address }) => address), expiresAtMs: Number.POSITIVE_INFINITY };
  cache.delete(key);
  cache.set(key, entry);
  forgetOldest();
  try {
    const { ttlSeconds } = await asking;
    entry.expiresAtMs = performance.now() + ttlSeconds * 1_000;
  } catch {
    // Failures are not remembered: the next caller asks again.
    entry.expiresAtMs = 0;
  }
  return entry.address;
}

function forgetOldest(): void {
  for (const key of cache.keys()) {
    if (cache.size <= mostCached) {
      break;
    }
    cache.delete(key);
  }
}

async function ask(
  name: string,
  server: DnsServerAddress,
): Promise<{ readonly address: string; readonly ttlSeconds: number }> {
  for (let attempt = 1; attempt <= triesBeforeFailure; attempt += 1) {
    const answer = await askOnce(name, server);
    if (answer !== null) {
      return addressIn(answer, name, server);
    }
  }
  throw new RejoinError(
    'ApiThrottled',
    `DNS server ${server.host}:${server.port} gave no answer about '${name}' in ${triesBeforeFailure} tries of ${tryTimeoutMs} ms`,
  );
}

async function askOnce(name: string, server: DnsServerAddress): Promise<DecodedPacket | null> {
  const id = randomInt(65_536);
  const query = { type: 'query' as const, id, flags: RECURSION_DESIRED, questions: [{ type: 'A' as const, name }] };
  const answer = await overUdp(encode(query), id, server);
  return answer?.flag_tc === true ? overTcp(streamEncode(query), server) : answer;
}

/** Null when no answer came in time. */
async function overUdp(query: Buffer, id: number, server: DnsServerAddress): Promise<DecodedPacket | null> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((settle) => {
      const limit = setTimeout(settle, tryTimeoutMs, null);
      const finish = (answer: DecodedPacket | null): void => {
        clearTimeout(limit);
        settle(answer);
      };
      socket.on('message', (message) => {
        const answer = decoded(message);
        // Anybody may send to this port; only the answer to this question counts.
        if (answer?.id === id && answer.type === 'response') {
          finish(answer);
        }
      });
      // Nobody listens there: trying again at once would tell the same, so the time is waited for.
      socket.on('error', () => undefined);
      socket.send(query, server.port, server.host);
    });
  } finally {
    socket.close();
  }
}

async function overTcp(query: Buffer, server: DnsServerAddress): Promise<DecodedPacket | null> {
  const socket = connect(server);
  const limit = AbortSignal.timeout(tryTimeoutMs);
  try {
    await once(socket, 'connect', { signal: limit });
    socket.write(query);
    let received = Buffer.alloc(0);
    while (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) {
      const [bytes] = (await once(socket, 'data', { signal: limit })) as [Buffer];
      received = Buffer.concat([received, bytes]);
    }
    return decoded(received.subarray(2));
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

function decoded(message: Buffer): DecodedPacket | null {
  try {
    return decode(message);
  } catch {
    return null;
  }
}

function addressIn(
  answer: DecodedPacket,
  name: string,
  server: DnsServerAddress,
): { readonly address: string; readonly ttlSeconds: number } {
  const answers: readonly Answer[] = answer.answers ?? [];
  const addresses = answers.flatMap((record) => (record.type === 'A' ? [record.data] : []));
  const [address] = addresses;
  if (address === undefined) {
    throw new RejoinError('NotFound', `DNS server ${server.host}:${server.port} knows no address of '${name}'`);
  }
  // An alias counts as long as the shortest of its links.
  const ttls = answers.flatMap((record) => ('ttl' in record && record.ttl !== undefined ? [record.ttl] : []));
  return { address, ttlSeconds: Math.min(...ttls) };
}
