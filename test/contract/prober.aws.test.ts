import { createServer, type Server } from 'node:http';
import { createServer as createPort, type AddressInfo } from 'node:net';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { clientSettings } from '../../adapters/aws/client-settings';
import { LambdaProber } from '../../adapters/aws/prober';
import { handler } from '../../lambdas/prober/probe-port';
import { describeProberContract } from './prober';

/** moto runs functions in containers only, so this answers Lambda's `Invoke` itself, with the prober's own handler. */
async function startInvoker(): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      void (async () => {
        try {
          response.end(JSON.stringify(await handler(JSON.parse(Buffer.concat(chunks).toString()))));
        } catch (thrown) {
          const { name, message } = thrown as Error;
          response.setHeader('X-Amz-Function-Error', 'Unhandled');
          response.end(JSON.stringify({ errorType: name, errorMessage: message }));
        }
      })();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port;
}

async function makeProber(): Promise<{ prober: LambdaProber; close: () => Promise<void> }> {
  const invoker = await startInvoker();
  const client = new LambdaClient({
    ...clientSettings(),
    endpoint: `http://127.0.0.1:${portOf(invoker)}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  return {
    prober: new LambdaProber(client, { a: 'rejoin-prober-a' }),
    close: async () => {
      client.destroy();
      await new Promise((resolve) => invoker.close(resolve));
    },
  };
}

describeProberContract('Lambda', async () => {
  const { prober, close } = await makeProber();
  const [open, closed] = [createPort(), createPort()];
  for (const server of [open, closed]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }
  const refusedPort = portOf(closed);
  await new Promise((resolve) => closed.close(resolve));
  return {
    prober,
    site: 'a',
    open: { host: '127.0.0.1', port: portOf(open) },
    refused: { host: '127.0.0.1', port: refusedPort },
    silent: null,
    close: async () => {
      await new Promise((resolve) => open.close(resolve));
      await close();
    },
  };
});

test('a prober that fails, and a site without one, are errors and no answers', async () => {
  const { prober, close } = await makeProber();
  try {
    const target = { fromSite: 'a', host: '127.0.0.1', port: 5432, timeoutMs: 100 };
    await expect(prober.probe({ ...target, port: 70_000 })).rejects.toMatchObject({
      name: 'ApiRefused',
      message: expect.stringMatching(/InvalidInput.*port/s) as string,
    });
    await expect(prober.probe({ ...target, fromSite: 'b' })).rejects.toMatchObject({
      name: 'NotFound',
      message: expect.stringContaining('sites: a') as string,
    });
  } finally {
    await close();
  }
});
