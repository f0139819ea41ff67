import { systemClock } from '../../adapters/system-clock';
import { LocalMetrics } from '../../local/control/local-metrics';
import { describeMetricsContract } from './metrics';

describeMetricsContract('in memory', async () => ({
  metrics: new LocalMetrics(systemClock, null),
  close: async () => undefined,
}));
