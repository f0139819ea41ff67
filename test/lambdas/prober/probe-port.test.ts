import { createServer, type AddressInfo, type Server } from 'node:net';
import { handler } from '../../../lambdas/prober/probe-port';

let server: Server;

beforeEach(async () => {
  server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
});

function port(): number {
  return (server.address() as AddressInfo).port;
}

test('a port where somebody listens is open', async () => {
  await expect(handler({ host: '127.0.0.1', port: port(), timeoutMs: 1_000 })).resolves.toEqual({ answer: 'open' });
});

test('a port where nobody listens refuses', async () => {
  // Another loopback address with the same port: nobody listens there.
  await expect(handler({ host: '127.99.99.99', port: port(), timeoutMs: 1_000 })).resolves.toEqual({
    answer: 'refused',
  });
});

test('a name without an address proves nothing', async () => {
  await expect(handler({ host: 'nobody.invalid', port: 5432, timeoutMs: 5_000 })).rejects.toMatchObject({
    name: 'ApiRefused',
    message: expect.stringContaining("can't tell whether nobody.invalid:5432 answers") as unknown,
  });
});

test.each([{}, { host: '127.0.0.1', port: 0, timeoutMs: 1 }, { host: 'a', port: 1, timeoutMs: 1, more: true }])(
  'input that does not fit is refused: %j',
  async (event) => {
    await expect(handler(event)).rejects.toMatchObject({ name: 'InvalidInput' });
  },
);
