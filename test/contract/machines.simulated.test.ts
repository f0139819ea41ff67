import { systemClock } from '../../adapters/system-clock';
import { SimulatedMachines } from '../support/simulated-machines';
import { describeMachinesContract } from './machines';

describeMachinesContract('simulated', async () => {
  const machines = new SimulatedMachines(systemClock, {
    sites: ['a', 'b'],
    bootMs: 20,
    stopMs: 20,
    healthReportMs: 50,
  });
  return {
    machines,
    cluster: 'orders',
    sites: ['a', 'b'],
    quarantineGroup: 'sg-quarantine',
    exhaust: async (site) => {
      machines.exhaust(site);
    },
    snapshot: async (machineId) => machines.snapshot(machineId),
    isolated: async (machineId) => machines.isolated(machineId),
    close: async () => undefined,
  };
});
