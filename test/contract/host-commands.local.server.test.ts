import { LocalHostCommands } from '../../local/machines/local-host-commands';
import { LocalMachines } from '../../local/machines/local-machines';
import { openTestRoom } from '../support/machine-room';
import { describeHostCommandsContract } from './host-commands';

describeHostCommandsContract('processes', async () => {
  const { room, close } = await openTestRoom({});
  const machines = new LocalMachines(room);
  const { machineId } = await machines.launchReady({
    cluster: 'orders',
    nodeId: 'orders-1',
    site: 'a',
    clientToken: 'one',
    launchTemplate: null,
    volumeSnapshot: null,
  });
  return { commands: new LocalHostCommands(room, machines), machineId, close };
});
