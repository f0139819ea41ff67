import { faults } from './node-recovery/faults';
import { rehearseNodeRecovery } from './node-recovery/run';
import type { Scenario } from './scenario';

/** A sharded cluster loses a node under load and gets it back. */
export const nodeRecovery: Scenario = {
  name: 'node-recovery',
  summary: 'a node of a sharded PostgreSQL cluster dies under load and comes back in sync',
  faults,
  ablations: [
    {
      name: 'passes',
      summary: 'one restore from the backup, without passes and comparison: counts the rows that this misses',
    },
    { name: 'node-filter', summary: 'every row of the cluster is moved, not just those that the node owned' },
  ],
  run: rehearseNodeRecovery,
};
