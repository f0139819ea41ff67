import { readProcess, descendantsOf } from '../../../local/processes/process-table';
import { LocalMachines } from '../../../local/machines/local-machines';
import { MachineRoom } from '../../../local/machines/machine-room';
import { systemClock } from '../../../adapters/system-clock';

/** A run with one machine in the state directory given; says what it has started, and waits to be killed. */
async function main(stateDirectory: string): Promise<void> {
  const room = await MachineRoom.open({
    clock: systemClock,
    stateDirectory,
    clusters: [
      {
        cluster: 'orders',
        sites: ['a'],
        databasePort: 5432,
        agentPort: 7400,
        // It ignores every signal that it can, and starts a process of its own.
        agent: () => ({
          argv: ['/bin/sh', '-c', `trap '' TERM INT HUP QUIT; sleep 600 & while :; do sleep 600; done`],
          environment: {},
        }),
        administrator: { username: 'admin', password: 'admin' },
        roles: [],
        databases: [],
        settings: {},
        durable: false,
      },
    ],
  });
  const machines = new LocalMachines(room);
  const order = {
    cluster: 'orders',
    nodeId: 'orders-1',
    site: 'a',
    clientToken: 'one',
    launchTemplate: null,
    volumeSnapshot: null,
  };
  const { machineId, address } = await machines.launchReady(order);
  const started = descendantsOf(process.pid)
    .filter((entry) => readProcess(entry.pid)?.ended === false)
    .map(({ pid, startedAt }) => ({ pid, startedAt }));
  process.stdout.write(`${JSON.stringify({ started, address, directory: room.machine(machineId).facts.directory })}\n`);
  setInterval(() => undefined, 60_000);
}

void main(process.argv[2] ?? '');
