import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { decode, encode, streamEncode, type DecodedPacket, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { DnsServer } from '../../../local/dns/dns-server';
import { LocalDns } from '../../../local/dns/local-dns';
import { answerMessage } from '../../../local/dns/answer';
import { resolve } from '../../../local/dns/resolve';
import { applyBatch, emptyZone } from '../../../local/dns/zone';
import { expectError } from '../../contract/expect-error';
import { ManualClock } from '../../support/manual-clock';

let clock: ManualClock;
let dns: LocalDns;
let server: DnsServer;

beforeEach(async () => {
  clock = new ManualClock();
  dns = new LocalDns({ clock, zone: 'rejoin.test', pendingMs: 1_000 });
  server = await DnsServer.start({ zone: dns.published });
});

afterEach(async () => {
  await server.close();
});

const put = async (
  name: string,
  type: 'A' | 'CNAME' | 'TXT',
  values: readonly string[],
  ttlSeconds = 5,
): Promise<void> => {
  await dns.change([{ action: 'upsert', record: { name, type, ttlSeconds, values } }]);
  clock.advance(1_000);
};

async function askRaw(message: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  try {
    socket.send(message, server.port, server.host);
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(2_000) })) as [Buffer];
    return answer;
  } finally {
    socket.close();
  }
}

const ask = async (name: string, type: string, more: Packet = {}): Promise<DecodedPacket> =>
  decode(await askRaw(encode({ type: 'query', id: 7, questions: [{ name, type: type as 'A' }], ...more })));

const codeOf = (answer: DecodedPacket): string => (answer as unknown as { rcode: string }).rcode;

test('answers with addresses, their TTL and authority', async () => {
  await put('node-1.rejoin.test', 'A', ['127.1.1.1', '127.1.1.2'], 3);
  const answer = await ask('Node-1.Rejoin.test', 'A');
  expect(answer).toMatchObject({ id: 7, type: 'response', flag_aa: true, flag_ra: false });
  expect(codeOf(answer)).toBe('NOERROR');
  expect(answer.answers?.map((record) => ({ ...record, name: '' }))).toMatchObject([
    { type: 'A', ttl: 3, data: '127.1.1.1' },
    { type: 'A', ttl: 3, data: '127.1.1.2' },
  ]);
});

test('follows an alias inside the zone, and gives one that leads out of it', async () => {
  await put('node-1.rejoin.test', 'A', ['127.1.1.1']);
  await put('primary.rejoin.test', 'CNAME', ['node-1.rejoin.test']);
  await put('away.rejoin.test', 'CNAME', ['db.example.com']);
  expect((await ask('primary.rejoin.test', 'A')).answers).toMatchObject([
    { type: 'CNAME', data: 'node-1.rejoin.test' },
    { type: 'A', data: '127.1.1.1' },
  ]);
  expect((await ask('primary.rejoin.test', 'CNAME')).answers).toHaveLength(1);
  expect((await ask('away.rejoin.test', 'A')).answers).toMatchObject([{ type: 'CNAME', data: 'db.example.com' }]);
});

test('ends in a circle of aliases', async () => {
  await put('a.rejoin.test', 'CNAME', ['b.rejoin.test']);
  await put('b.rejoin.test', 'CNAME', ['a.rejoin.test']);
  expect((await ask('a.rejoin.test', 'A')).answers?.length).toBeLessThan(20);
});

test('tells a name without such records from no name, both with the SOA record', async () => {
  await put('deep.below.rejoin.test', 'A', ['127.1.1.1']);
  const noData = await ask('deep.below.rejoin.test', 'AAAA');
  const between = await ask('below.rejoin.test', 'A');
  const nobody = await ask('nobody.rejoin.test', 'A');
  expect([noData, between, nobody].map(codeOf)).toEqual(['NOERROR', 'NOERROR', 'NXDOMAIN']);
  for (const answer of [noData, between, nobody]) {
    expect(answer.answers).toEqual([]);
    expect(answer.authorities).toMatchObject([{ type: 'SOA', name: 'rejoin.test', data: { serial: 2 } }]);
  }
});

test('serves its own SOA and NS records', async () => {
  expect((await ask('rejoin.test', 'SOA')).answers).toMatchObject([{ type: 'SOA', data: { mname: 'ns.rejoin.test' } }]);
  expect((await ask('rejoin.test', 'NS')).answers).toMatchObject([{ type: 'NS', data: 'ns.rejoin.test' }]);
});

test('refuses other zones, and what is no query of one question', async () => {
  expect(codeOf(await ask('example.com', 'A'))).toBe('REFUSED');
  expect(codeOf(await ask('norejoin.test', 'A'))).toBe('REFUSED');
  expect(codeOf(await ask('rejoin.test', 'A', { questions: [] }))).toBe('FORMERR');
  expect(codeOf(await ask('rejoin.test', 'A', { flags: 2 << 11 }))).toBe('NOTIMP');
});

test('cuts an answer that is too long for UDP; the whole one comes over TCP', async () => {
  const values = Array.from({ length: 60 }, (_, number) => `127.1.2.${number + 1}`);
  await put('many.rejoin.test', 'A', values);
  const short = await ask('many.rejoin.test', 'A');
  expect(short).toMatchObject({ flag_tc: true, answers: [] });
  const socket = connect(server.port, server.host);
  socket.write(streamEncode({ type: 'query', id: 9, questions: [{ name: 'many.rejoin.test', type: 'A' }] }));
  let received = Buffer.alloc(0);
  while (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) {
    received = Buffer.concat([received, ((await once(socket, 'data')) as [Buffer])[0]]);
  }
  socket.destroy();
  expect(decode(received.subarray(2)).answers).toHaveLength(60);
  await expect(resolve('many.rejoin.test', { server })).resolves.toBe('127.1.2.1');
});

test('splits a long text into parts of 255 bytes', async () => {
  await put('text.rejoin.test', 'TXT', ['é'.repeat(150)]);
  const [record] = (await ask('text.rejoin.test', 'TXT')).answers ?? [];
  const parts = (record as { data: Buffer[] }).data;
  expect(parts.map((part) => part.length)).toEqual([255, 45]);
  expect(Buffer.concat(parts).toString()).toBe('é'.repeat(150));
});

test('answers with the old data until a change is in sync', async () => {
  await put('node-1.rejoin.test', 'A', ['127.1.1.1']);
  const { changeId } = await dns.change([
    { action: 'upsert', record: { name: 'node-1.rejoin.test', type: 'A', ttlSeconds: 5, values: ['127.1.1.2'] } },
  ]);
  clock.advance(999);
  expect(await dns.changeState(changeId)).toBe('pending');
  expect((await ask('node-1.rejoin.test', 'A')).answers).toMatchObject([{ data: '127.1.1.1' }]);
  expect(await dns.read('node-1.rejoin.test', 'A')).toMatchObject({ values: ['127.1.1.2'] });
  clock.advance(1);
  expect(await dns.changeState(changeId)).toBe('in sync');
  expect((await ask('node-1.rejoin.test', 'A')).answers).toMatchObject([{ data: '127.1.1.2' }]);
});

test('goes on after messages that are none', async () => {
  const socket = createSocket('udp4');
  for (const message of ['', 'x', 'GET / HTTP/1.1\r\n\r\n', '\xff'.repeat(40)]) {
    socket.send(Buffer.from(message, 'latin1'), server.port, server.host);
  }
  const tcp = connect(server.port, server.host);
  tcp.end(Buffer.from([0, 3, 1, 2, 3]));
  await once(tcp, 'close');
  socket.close();
  expect(codeOf(await ask('rejoin.test', 'SOA'))).toBe('NOERROR');
});

test('answers any bytes with a message or silence, and never an answer', () => {
  const zone = applyBatch(emptyZone('rejoin.test'), [
    { action: 'create', record: { name: 'a.rejoin.test', type: 'A', ttlSeconds: 1, values: ['127.0.0.1'] } },
  ]);
  const query = encode({ type: 'query', id: 1, questions: [{ name: 'a.rejoin.test', type: 'A' }] });
  const damaged = fc
    .array(fc.tuple(fc.nat(query.length - 1), fc.nat(255)), { maxLength: 6 })
    .map((changes) => changes.reduce((bytes, [at, value]) => (bytes.writeUInt8(value, at), bytes), Buffer.from(query)));
  fc.assert(
    fc.property(
      fc.oneof(
        damaged,
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      ),
      (message) => {
        const answer = answerMessage(zone, message, 'udp');
        const isQuery = message.length >= 12 && (message.readUInt8(2) & 0x80) === 0;
        expect(answer !== null).toBe(isQuery);
        expect(answer?.readUInt16BE(0) ?? null).toBe(isQuery ? message.readUInt16BE(0) : null);
      },
    ),
    { numRuns: 2_000 },
  );
});

describe('resolve', () => {
  test('asks again when the TTL has passed, and not before', async () => {
    await put('node-1.rejoin.test', 'A', ['127.1.1.1'], 1);
    await expect(resolve('node-1.rejoin.test', { server })).resolves.toBe('127.1.1.1');
    await put('node-1.rejoin.test', 'A', ['127.1.1.2'], 1);
    await expect(resolve('node-1.rejoin.test', { server })).resolves.toBe('127.1.1.1');
    const begin = performance.now();
    while ((await resolve('node-1.rejoin.test', { server })) === '127.1.1.1') {
      expect(performance.now() - begin).toBeLessThan(3_000);
      await new Promise((done) => setTimeout(done, 20));
    }
  });

  test('takes the shortest TTL of an alias and its target', async () => {
    await put('node-1.rejoin.test', 'A', ['127.1.1.1'], 60);
    await put('primary.rejoin.test', 'CNAME', ['node-1.rejoin.test'], 0);
    await expect(resolve('primary.rejoin.test', { server })).resolves.toBe('127.1.1.1');
    await put('node-1.rejoin.test', 'A', ['127.1.1.9'], 60);
    await expect(resolve('primary.rejoin.test', { server })).resolves.toBe('127.1.1.9');
  });

  test('asks once for many at a time', async () => {
    await put('node-1.rejoin.test', 'A', ['127.1.1.1'], 60);
    let asked = 0;
    const counting = await DnsServer.start({
      zone: () => {
        asked += 1;
        return dns.published();
      },
    });
    await Promise.all(Array.from({ length: 50 }, () => resolve('node-1.rejoin.test', { server: counting })));
    await counting.close();
    expect(asked).toBe(1);
  });

  test('says NotFound for a name without an address, and finds it when there is one', async () => {
    await expectError(resolve('later.rejoin.test', { server }), 'NotFound', 'later.rejoin.test');
    await put('later.rejoin.test', 'A', ['127.1.1.1']);
    await expect(resolve('later.rejoin.test', { server })).resolves.toBe('127.1.1.1');
  });

  test('says ApiThrottled when nobody answers', async () => {
    const silent = createSocket('udp4');
    silent.bind(0, '127.0.0.1');
    await once(silent, 'listening');
    await expectError(
      resolve('node-1.rejoin.test', { server: { host: '127.0.0.1', port: silent.address().port } }),
      'ApiThrottled',
      'no answer',
    );
    silent.close();
  });
});

test('names the port when it is taken', async () => {
  await expectError(DnsServer.start({ zone: dns.published, port: server.port }), 'ApiRefused', String(server.port));
});
