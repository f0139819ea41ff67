import { existsSync } from 'node:fs';
import { isRejoinError } from '../../../core/errors';
import { startServer } from '../../../local/postgresql/server';
import { descendantsOf, readProcess } from '../../../local/processes/process-table';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../support/postgres';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ settings: { wal_sender_timeout: '3s' } });
});

afterAll(async () => {
  await server.stop();
});

test('takes connections with the given settings', async () => {
  const client = await testClient(server, await freshDatabase(server));
  const settings = await client.query<{ wal: string; timeout: string; encoding: string }>(
    `SELECT current_setting('wal_level') AS wal, current_setting('wal_sender_timeout') AS timeout, current_setting('server_encoding') AS encoding`,
  );
  await client.end();
  expect(settings.rows).toEqual([{ wal: 'logical', timeout: '3s', encoding: 'UTF8' }]);
});

test('does not run as root', () => {
  const { user } = server.server.order.binaries;
  expect(user === null ? process.getuid?.() : user.uid).not.toBe(0);
});

test('refuses a wrong password', async () => {
  const wrong = { ...server, credentials: { username: 'admin', password: 'wrong' } };
  await expect(testClient(wrong, server.address)).rejects.toThrow('password authentication failed');
});

test('names the port when it is taken', async () => {
  const { order } = server.server;
  const second = await startTestServer();
  await second.kill();
  const started = startServer({ ...second.server.order, host: order.host });
  await expect(started).rejects.toThrow(`port 5432 of ${order.host} is taken by another process`);
  await second.stop();
});

test('a kill ends every process of it, and it starts again on its data', async () => {
  const client = await testClient(server, server.address);
  await client.query('CREATE TABLE kept (id int)');
  await client.query('CHECKPOINT');
  const { pid } = server.server.process;
  const before = [pid, ...descendantsOf(pid).map((entry) => entry.pid)];
  expect(before.length).toBeGreaterThan(3);
  await server.kill();
  const left = before.map(readProcess).filter((entry) => entry !== null && !entry.ended);
  expect(left).toEqual([]);
  await expect(client.query('SELECT 1')).rejects.toThrow();

  await server.restart();
  const again = await testClient(server, server.address);
  await expect(again.query('SELECT * FROM kept')).resolves.toMatchObject({ rowCount: 0 });
  await again.end();
});

test('paused, it keeps its connections and answers none; resumed, it goes on', async () => {
  const client = await testClient(server, server.address);
  server.server.pause();
  let answered = false;
  const answer = client.query('SELECT 1').then(() => {
    answered = true;
  });
  const states = descendantsOf(server.server.process.pid).length;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(states).toBeGreaterThan(2);
  expect(answered).toBe(false);
  server.server.resume();
  await answer;
  await client.end();
});

test('leaves nothing behind', async () => {
  const other = await startTestServer();
  const { order, process: started } = other.server;
  await other.stop();
  expect(existsSync(order.dataDirectory)).toBe(false);
  expect(readProcess(started.pid)?.ended ?? true).toBe(true);
});

test('says what the log says when it does not start', async () => {
  const failed = await startTestServer({ settings: { shared_buffers: 'many' } }).catch((thrown: unknown) => thrown);
  expect(isRejoinError(failed, 'ApiRefused')).toBe(true);
  expect((failed as Error).message).toContain('shared_buffers');
});
