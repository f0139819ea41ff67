import { systemClock } from '../../adapters/system-clock';
import { SimulatedDns } from '../support/simulated-dns';
import { describeDnsContract } from './dns';

describeDnsContract('simulated', async () => ({
  dns: new SimulatedDns(systemClock, 30),
  zone: 'orders.internal',
  close: async () => undefined,
}));
