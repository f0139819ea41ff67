import { SimulatedStatusAlarms } from '../support/simulated-status-alarms';
import { describeStatusAlarmsContract } from './status-alarms';

describeStatusAlarmsContract('simulated', async () => {
  const alarms = new SimulatedStatusAlarms();
  return { alarms, names: async () => [...alarms.names], close: async () => undefined };
});
