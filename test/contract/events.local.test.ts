import { systemClock } from '../../adapters/system-clock';
import { systemRandom } from '../../adapters/system-random';
import type { JsonObject } from '../../core/json';
import { EventBus } from '../../local/control/event-bus';
import { EventPattern } from '../../local/templates/event-pattern';
import { describeEventsContract } from './events';

describeEventsContract('local bus', async () => {
  const arrived: JsonObject[] = [];
  const events = new EventBus({
    rules: [
      {
        name: 'ours',
        arn: 'arn:aws:events:eu-central-1:123456789012:rule/ours',
        description: null,
        enabled: true,
        bus: 'rejoin',
        pattern: new EventPattern({ source: ['rejoin'] }, 'ours'),
        schedule: null,
        targets: [{ arn: 'arn:aws:lambda:eu-central-1:123456789012:function:target', input: { kind: 'event' } }],
      },
    ],
    ownBus: 'rejoin',
    clock: systemClock,
    random: systemRandom,
    record: null,
    deliver: async (_arn, input) => {
      arrived.push(input as JsonObject);
    },
  });
  return { events, arrived: async () => arrived, close: async () => events.settled() };
});
