import { kill, type NodeFault } from './fault';

/** What can go wrong with RDS nodes, of which only the second can with others. */
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
    layouts: ['sharded', 'replicated'],
    machines: 'rds',
    summary:
      'there is no snapshot: an RDS instance is filled from the backup, a node that holds all rows by a copy of a standby',
    expectedOutcome: 'recovered',
    whole: true,
    hasSnapshot: false,
    begin: kill,
  },
];
