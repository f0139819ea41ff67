import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { LoopbackRange } from '../../local/machines/loopback';
import { LocalProber } from '../../local/machines/local-prober';
import { systemClock } from '../../adapters/system-clock';
import { Relay } from '../../local/relay/relay';
import { describeProberContract } from './prober';

describeProberContract('loopback addresses', async () => {
  const range = await LoopbackRange.claim();
  const relay = await Relay.start();
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const siteAddress = range.address(250, 1);
  await relay.nameSource(siteAddress, 'site:a');
  const [open, silent] = [1, 2].map((number) => ({ host: range.address(1, number), port: 5432 })) as [
    typeof target,
    typeof target,
  ];
  await relay.expose({ member: 'machine-1', listen: open, target });
  await relay.expose({ member: 'machine-2', listen: silent, target });
  await relay.setFlow('site:a', 'machine-2', { state: 'partitioned' });
  return {
    prober: new LocalProber({ relay, siteAddress: async () => siteAddress }, systemClock),
    site: 'a',
    open,
    refused: { ...open, port: 5433 },
    silent,
    close: async () => {
      await relay.close();
      server.close();
      await range.release();
    },
  };
});
