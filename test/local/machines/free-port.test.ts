import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { freePort } from '../../../local/machines/free-port';
import { privatePort } from '../../../local/machines/templates';

const servers: Server[] = [];
afterEach(() => {
  servers.splice(0).forEach((server) => server.close());
});

/** Takes a port of all addresses. */
async function take(port: number): Promise<number> {
  const server = createServer().listen(port, '0.0.0.0');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('passes over a port on which somebody listens at every address', async () => {
  const taken = await take(0);
  expect(await freePort(taken)).toBeGreaterThan(taken);
});

test('passes over a port whose private one is taken', async () => {
  const taken = await take(0);
  const first = taken - (privatePort(1) - 1);
  expect(privatePort(first)).toBe(taken);
  expect(await freePort(first)).toBeGreaterThan(first);
});
