import { systemClock } from '../../adapters/system-clock';
import { SimulatedObjects } from '../support/simulated-objects';
import { describeObjectsContract } from './objects';

describeObjectsContract('simulated', async () => ({
  objects: new SimulatedObjects('rejoin-backups', systemClock),
  close: async () => undefined,
}));
