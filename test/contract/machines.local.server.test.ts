import { LocalMachines } from '../../local/machines/local-machines';
import { openTestRoom, type TestRoom } from '../support/machine-room';
import { describeMachinesContract } from './machines';

/** One a test: its room is shared, because making the first data directory takes most of the time. */
const clusters = Array.from({ length: 20 }, (_, number) => `orders-${number}`);
let shared: TestRoom;

beforeAll(async () => {
  shared = await openTestRoom(...clusters.map((cluster) => ({ cluster })));
});
afterAll(async () => {
  await shared.close();
});

describeMachinesContract('processes', async () => {
  const { room } = shared;
  const machines = new LocalMachines(room, { bootMs: 20, stopMs: 20, healthReportMs: 100, viewLagMs: 30 });
  const cluster = clusters.pop() ?? '';
  return {
    machines,
    cluster,
    sites: ['a', 'b'],
    quarantineGroup: 'sg-quarantine',
    exhaust: async (site) => {
      machines.limitCapacity(site, 0);
    },
    snapshot: async (machineId) => {
      await machines.settled(machineId);
      return (await machines.snapshot(machineId)).snapshotId;
    },
    isolated: async (machineId) =>
      room.relay.flow('site:a', machineId).state === 'partitioned' &&
      room.relay.flow(machineId, 'site:a').state === 'partitioned',
    close: async () => {
      for (const { machineId } of await machines.list(cluster)) {
        await machines.terminate(machineId);
        await machines.settled(machineId);
      }
    },
  };
});
