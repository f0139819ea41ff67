import { systemClock } from '../../adapters/system-clock';
import { SimulatedManagedDatabases } from '../support/simulated-managed-databases';
import { describeManagedDatabasesContract } from './managed-databases';

describeManagedDatabasesContract('simulated', async () => {
  const managed = new SimulatedManagedDatabases(systemClock, 30);
  managed.add('orders-1', 'a', 'orders-1.rds.internal');
  return {
    managed,
    cluster: 'orders',
    site: 'a',
    existing: 'orders-1',
    quarantineGroup: 'sg-quarantine',
    snapshot: async (identifier) => managed.snapshot(identifier),
    forbidStop: async (identifier) => {
      managed.forbidStop(identifier);
    },
    isolated: async (identifier) => managed.isolated(identifier),
    close: async () => undefined,
  };
});
