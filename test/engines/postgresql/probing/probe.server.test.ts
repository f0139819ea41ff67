import { createServer, type Server, type Socket } from 'node:net';
import { comparePositions } from '../../../../core/cluster/position';
import type { DatabaseAddress } from '../../../../core/ports/database-engine';
import { postgresProbing } from '../../../../engines/postgresql/probing/probing';
import { startTestServer, testClient, type TestServer } from '../../../support/postgres';

let server: TestServer;
let probing: ReturnType<typeof postgresProbing>;

beforeAll(async () => {
  server = await startTestServer({
    settings: { max_connections: '4', superuser_reserved_connections: '0', reserved_connections: '0' },
  });
  probing = postgresProbing(server.source);
});

afterAll(() => server.stop());

/** A listener that does this with each connection. */
async function listening(
  accept: (socket: Socket) => void,
): Promise<{ readonly address: DatabaseAddress; readonly end: () => Promise<void> }> {
  const sockets: Socket[] = [];
  const listener: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    accept(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const bound = listener.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    address: { ...server.address, host: '127.0.0.1', port },
    end: async () => {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

test('a server that runs SQL answers', async () => {
  await expect(probing.probe(server.address, 5_000)).resolves.toMatchObject({
    verdict: 'answers',
    detail: 'SELECT 1 ran',
  });
});

test('a port that nobody listens on is refused', async () => {
  const { address, end } = await listening(() => undefined);
  await end();
  await expect(probing.probe(address, 5_000)).resolves.toMatchObject({
    verdict: 'refused',
    detail: expect.stringContaining('ECONNREFUSED') as string,
  });
});

test('a listener that hangs up at once, as a relay without a server does, is refused', async () => {
  const { address, end } = await listening((socket) => socket.destroy());
  await expect(probing.probe(address, 5_000)).resolves.toMatchObject({ verdict: 'refused' });
  await end();
});

test('a listener that says nothing is timed out, in time, and hung up on', async () => {
  let heard: (() => void) | undefined;
  const hungUp = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const { address, end } = await listening((socket) => {
    socket.resume();
    socket.on('close', () => heard?.());
  });
  const probe = await probing.probe(address, 200);
  expect(probe).toMatchObject({ verdict: 'timed out', detail: 'no answer within 200 ms' });
  expect(probe.tookMs).toBeGreaterThanOrEqual(199);
  expect(probe.tookMs).toBeLessThan(2_000);
  await hungUp;
  await end();
});

test('a host name that can not be resolved says nothing of the node', async () => {
  await expect(probing.probe({ ...server.address, host: 'absent.invalid' }, 5_000)).resolves.toMatchObject({
    verdict: 'timed out',
  });
});

test('names that only we can resolve are probed at their address, and a resolver that hangs is timed out', async () => {
  const address = { ...server.address, host: 'node-1.orders.internal' };
  const named = postgresProbing({ ...server.source, addressOf: async () => server.address.host });
  await expect(named.probe(address, 5_000)).resolves.toMatchObject({ verdict: 'answers' });
  const hanging = postgresProbing({ ...server.source, addressOf: () => new Promise(() => undefined) });
  await expect(hanging.probe(address, 100)).resolves.toMatchObject({ verdict: 'timed out' });
});

test('a server that answers with an error is failing', async () => {
  await expect(probing.probe({ ...server.address, database: 'absent' }, 5_000)).resolves.toMatchObject({
    verdict: 'failing',
    detail: '3D000: database "absent" does not exist',
  });
  const wrong = postgresProbing({
    ...server.source,
    credentials: async () => ({ username: 'admin', password: 'wrong' }),
  });
  await expect(wrong.probe(server.address, 5_000)).resolves.toMatchObject({
    verdict: 'failing',
    detail: expect.stringMatching(/^28P01: /) as string,
  });
});

test('a server without room for one more session is failing, not dead', async () => {
  const clients = [];
  for (let count = 0; count < 4; count += 1) {
    clients.push(await testClient(server, server.address));
  }
  await expect(probing.probe(server.address, 5_000)).resolves.toMatchObject({
    verdict: 'failing',
    detail: expect.stringMatching(/^53300: /) as string,
  });
  await Promise.all(clients.map((client) => client.end()));
});

test('every commit that could be seen lies before the position, also one that the server has not written yet', async () => {
  const client = await testClient(server, server.address);
  await client.query('CREATE TABLE moved (id int); SET synchronous_commit = off');
  for (let round = 0; round < 20; round += 1) {
    await client.query(`INSERT INTO moved VALUES (${round})`);
    const { rows } = await client.query<{ inserted: string }>('SELECT pg_current_wal_insert_lsn()::text AS inserted');
    const position = await probing.position(server.address);
    expect(comparePositions(position, rows[0]?.inserted ?? '')).toBeGreaterThanOrEqual(0);
  }
  await client.end();
});

test('asking a quiet server for its position writes nothing', async () => {
  const first = await probing.position(server.address);
  const second = await probing.position(server.address);
  expect(second).toBe(first);
});

test('a killed server is refused, and answers when it is back', async () => {
  await server.kill();
  await expect(probing.probe(server.address, 5_000)).resolves.toMatchObject({ verdict: 'refused' });
  await server.restart();
  await expect(probing.probe(server.address, 5_000)).resolves.toMatchObject({ verdict: 'answers' });
});
