import { kill, type NodeFault } from './fault';

/** What can go wrong with RDS nodes only. */
export const managedFaults: readonly NodeFault[] = [
  {
    name: 'no-stop',
    machines: 'rds',
    summary: 'the instance can not be stopped, as with a read replica: quarantine and a reboot fence it',
    expectedOutcome: 'recovered',
    whole: true,
    begin: async ({ world, victim, say }) => {
      world.managed.forbidStop(victim.machineId);
      say(`kills ${victim.id}, which can't be stopped; its data stays`);
      await world.room.machine(victim.machineId).kill({ deleteData: false });
    },
  },
  {
    name: 'no-snapshot',
    machines: 'rds',
    summary: 'the instance has no snapshot: an empty one is filled from the backup',
    expectedOutcome: 'recovered',
    whole: true,
    hasSnapshot: false,
    begin: kill,
  },
];
