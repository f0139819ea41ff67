import type { JsonObject } from '../../core/json';
import type { DomainEvent, Events } from '../../core/ports/surroundings';
import { contractTest, eventually } from './gaps';

export interface EventsSubject {
  readonly events: Events;
  /** The events that have come to a rule which matches `source: rejoin`, oldest first, as its target gets them. */
  arrived(): Promise<readonly JsonObject[]>;
  close(): Promise<void>;
}

/** What a stand-in may lack. */
export type EventsGap = 'account';

/** What every `Events` does, whatever delivers them. */
export function describeEventsContract(
  name: string,
  makeSubject: () => Promise<EventsSubject>,
  gaps: readonly EventsGap[] = [],
): void {
  describe(`Events: ${name}`, () => {
    let subject: EventsSubject;

    beforeEach(async () => {
      subject = await makeSubject();
    });
    afterEach(async () => {
      await subject.close();
    });

    test('an event reaches a rule, in the envelope of EventBridge', async () => {
      const beforeMs = Date.now();
      const event: DomainEvent = {
        type: 'ShardsPromoted',
        cluster: 'orders',
        detail: { nodeId: 'node-3', by: 'node-1', shards: ['shard_0001', 'shard_0002'], größe: { deep: null } },
      };
      await subject.events.publish(event);
      const [arrived] = await eventually(
        async () => subject.arrived(),
        (events) => events.length > 0,
      );
      expect(arrived).toMatchObject({
        source: 'rejoin',
        'detail-type': 'ShardsPromoted',
        detail: { ...event.detail, cluster: 'orders' },
        id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        region: expect.any(String) as string,
        resources: [],
      });
      const timeMs = Date.parse(arrived?.['time'] as string);
      expect(Math.abs(timeMs - beforeMs)).toBeLessThan(60_000);
    });

    contractTest(gaps, 'account', 'an event says whose account it is of', async () => {
      await subject.events.publish({ type: 'NodeSilent', cluster: 'orders', detail: {} });
      const [arrived] = await eventually(
        async () => subject.arrived(),
        (events) => events.length > 0,
      );
      expect(arrived?.['account']).toMatch(/^\d{12}$/);
    });

    test('each event reaches it', async () => {
      const types = ['NodeSilent', 'ShardsPromoted', 'RecoveryEnded', 'BackupDamaged'] as const;
      for (const type of types) {
        await subject.events.publish({ type, cluster: 'orders', detail: {} });
      }
      const arrived = await eventually(
        async () => subject.arrived(),
        (events) => events.length >= types.length,
      );
      expect(arrived.map((event) => event['detail-type']).sort()).toEqual([...types].sort());
      expect(new Set(arrived.map(({ id }) => id)).size).toBe(types.length);
    });

    test("the event's cluster is the one it is published for, whatever its detail says", async () => {
      await subject.events.publish({ type: 'NodeSilent', cluster: 'orders', detail: { cluster: 'another' } });
      const [arrived] = await eventually(
        async () => subject.arrived(),
        (events) => events.length > 0,
      );
      expect(arrived?.['detail']).toEqual({ cluster: 'orders' });
    });
  });
}
