import { LocalManagedDatabases } from '../../local/machines/local-managed-databases';
import { openTestRoom, type TestRoom } from '../support/machine-room';
import { describeManagedDatabasesContract } from './managed-databases';

/** Shared, because making the first data directory takes most of the time. */
let shared: TestRoom;
let instances = 0;

beforeAll(async () => {
  shared = await openTestRoom({});
});
afterAll(async () => {
  await shared.close();
});

describeManagedDatabasesContract('processes', async () => {
  const { room } = shared;
  const managed = new LocalManagedDatabases(room, { createMs: 30, stopMs: 20, rebootMs: 20 });
  instances += 1;
  const existing = `orders-1-${instances}`;
  await managed.createReady({
    cluster: 'orders',
    nodeId: 'orders-1',
    site: 'a',
    instanceIdentifier: existing,
    snapshotId: null,
  });
  return {
    managed,
    cluster: 'orders',
    site: 'a',
    existing,
    quarantineGroup: 'sg-quarantine',
    snapshot: async (instance) => (await managed.takeSnapshot(instance)).snapshotId,
    forbidStop: async (instance) => {
      managed.forbidStop(instance);
    },
    isolated: async (instance) => room.relay.flow('site:a', instance).state === 'partitioned',
    close: async () => {
      for (const instance of [existing, 'orders-2-new']) {
        await managed.remove(instance);
        await managed.settled(instance);
      }
    },
  };
});
