import { LocalDns } from '../../local/dns/local-dns';
import { systemClock } from '../../adapters/system-clock';
import { describeDnsContract } from './dns';

describeDnsContract('a zone in memory', async () => ({
  dns: new LocalDns({ clock: systemClock, zone: 'rejoin.test', pendingMs: 40 }),
  zone: 'rejoin.test',
  close: async () => undefined,
}));
