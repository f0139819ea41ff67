import { systemClock } from '../../../adapters/system-clock';
import { RejoinError } from '../../../core/errors';
import type { Machines } from '../../../core/ports/machines';
import type { Change, Registry } from '../../../core/ports/registry';
import { ControlClient } from '../../../local/control/control-client';
import { ControlLinks } from '../../../local/control/control-links';
import { ControlServer } from '../../../local/control/control-server';
import { LocalRegistry } from '../../../local/registry/local-registry';
import { describeRegistryContract } from '../../contract/registry';

const key = { pk: 'CLUSTER#orders', sk: 'META' };
const put: Change = { kind: 'put', key, value: { epoch: 1 }, when: 'absent' };

let links: ControlLinks;
let server: ControlServer;
let registry: LocalRegistry;
const clients: ControlClient[] = [];

function connect(options: { token?: string; nodeId?: string; localAddress?: string } = {}): ControlClient {
  const client = new ControlClient({
    url: server.url,
    token: options.token ?? server.token,
    nodeId: options.nodeId ?? null,
    localAddress: options.localAddress ?? null,
  });
  clients.push(client);
  return client;
}

async function start(): Promise<void> {
  links = new ControlLinks(systemClock);
  server = await ControlServer.start(links);
  registry = new LocalRegistry(systemClock, null);
  server.serve('registry', registry);
}

async function stop(): Promise<void> {
  clients.splice(0).forEach((client) => {
    client.close();
  });
  await server.close();
}

describeRegistryContract('over the control process', async () => {
  await start();
  return { registry: connect().port('registry'), close: stop };
});

describe('the control process', () => {
  beforeEach(start);
  afterEach(stop);

  test('gives errors their own name and message', async () => {
    server.serve('machines', {
      observe: async () => {
        throw new RejoinError('ApiThrottled', 'slow down');
      },
      list: async () => {
        throw Object.assign(new Error('of another kind'), { name: 'OddError' });
      },
    } as unknown as Machines);
    const machines = connect().port('machines');
    await expect(machines.observe('i-1')).rejects.toMatchObject({ name: 'ApiThrottled', message: 'slow down' });
    await expect(machines.list('orders')).rejects.toMatchObject({ name: 'OddError', message: 'of another kind' });
  });

  test('serves nobody without the token', async () => {
    for (const token of ['', 'guess', `${server.token}x`, server.token.toLowerCase()]) {
      await expect(connect({ token }).port('registry').read(key)).rejects.toMatchObject({ name: 'ApiRefused' });
    }
    expect(await connect().port('registry').read(key)).toBeNull();
  });

  test('serves no other method than those of a port, and no port that is not there', async () => {
    const call = async (path: string): Promise<unknown> =>
      (
        await fetch(`${server.url}/${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${server.token}` },
          body: '[]',
        })
      ).json();
    for (const path of ['registry/all', 'registry/constructor', 'registry/faults', 'dns/read', 'toString/call', '']) {
      expect(await call(path)).toMatchObject({ error: { name: 'ApiRefused' } });
    }
  });

  test('answers an unreadable call with an error', async () => {
    const response = await fetch(`${server.url}/registry/read`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}` },
      body: '{',
    });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: { name: 'SyntaxError' } });
  });

  test('that is gone is an error that may be tried again', async () => {
    const gone = connect().port('registry');
    const url = server.url;
    await server.close();
    await expect(gone.read(key)).rejects.toMatchObject({ name: 'RegistryThrottled' });
    await start();
    expect(server.url).not.toBe(url);
  });

  describe('when links fail', () => {
    test.each([
      ['node id', { nodeId: 'node-3' }, 'node-3'],
      ['loopback address', { localAddress: '127.0.0.1' }, '127.0.0.1'],
    ])(
      'a caller cut off by its %s gets no answer, and its call happens only if it still waits',
      async (_by, who, name) => {
        links.cut(name);
        const cut: Registry = connect(who).port('registry');
        const started = performance.now();
        await expect(cut.write([put])).rejects.toMatchObject({ name: 'RegistryThrottled' });
        expect(performance.now() - started).toBeGreaterThan(1_900);
        // The server has to notice first that the caller is gone.
        while (links.held > 0) {
          await systemClock.sleep(1);
        }
        links.heal(name);
        // A call that was given up must not happen later.
        expect(await connect({ nodeId: 'node-9' }).port('registry').read(key)).toBeNull();

        links.cut(name);
        const waiting = cut.write([put]);
        links.heal(name);
        await waiting;
        expect(await registry.read(key)).toEqual({ epoch: 1 });
      },
    );

    test('others go on', async () => {
      links.cut('node-3');
      await connect({ nodeId: 'node-4' }).port('registry').write([put]);
      expect(await connect().port('registry').read(key)).toEqual({ epoch: 1 });
    });

    test('an answer is kept by a link that is cut meanwhile: the write has happened', async () => {
      registry.faults.latencyMs = 100;
      const write = connect({ nodeId: 'node-3' }).port('registry').write([put]);
      await systemClock.sleep(50);
      links.cut('node-3');
      await expect(write).rejects.toMatchObject({ name: 'RegistryThrottled' });
      registry.faults.latencyMs = 0;
      expect(await registry.read(key)).toEqual({ epoch: 1 });
    });

    test('a slow link delays both ways', async () => {
      links.delay('node-3', 60);
      const started = performance.now();
      await connect({ nodeId: 'node-3' }).port('registry').read(key);
      expect(performance.now() - started).toBeGreaterThanOrEqual(118);
    });
  });

  test('answers in well under 2 ms', async () => {
    const port = connect().port('registry');
    for (let warmUp = 0; warmUp < 200; warmUp++) {
      await port.read(key);
    }
    const tookMs: number[] = [];
    for (let call = 0; call < 501; call++) {
      const startedMs = performance.now();
      await port.read(key);
      tookMs.push(performance.now() - startedMs);
    }
    // The median: on a busy computer single calls wait for the processor.
    const medianMs = tookMs.sort((left, right) => left - right)[250];
    expect(medianMs).toBeLessThan(2);
  });
});
