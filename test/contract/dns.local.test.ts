import { LocalDns } from '../../local/dns/local-dns';
import { RealClock } from '../../local/real-clock';
import { describeDnsContract } from './dns';

describeDnsContract('a zone in memory', async () => ({
  dns: new LocalDns({ clock: new RealClock(), zone: 'rejoin.test', pendingMs: 40 }),
  zone: 'rejoin.test',
  close: async () => undefined,
}));
