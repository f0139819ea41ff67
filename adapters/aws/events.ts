import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { RejoinError } from '../../core/errors';
import { detailOf, eventSource } from '../../core/events/event-envelope';
import type { DomainEvent, Events } from '../../core/ports/surroundings';
import { ask, isThrottle } from './api-error';

/** One event bus of EventBridge. */
export class EventBridgeEvents implements Events {
  constructor(
    private readonly client: EventBridgeClient,
    private readonly bus: string,
  ) {}

  async publish(event: DomainEvent): Promise<void> {
    const asked = `publish ${event.type} of cluster '${event.cluster}' to event bus '${this.bus}'`;
    const { Entries } = await ask(
      asked,
      this.client.send(
        new PutEventsCommand({
          Entries: [
            {
              EventBusName: this.bus,
              Source: eventSource,
              DetailType: event.type,
              Detail: JSON.stringify(detailOf(event)),
            },
          ],
        }),
      ),
    );
    // The call succeeds also when the bus took nothing.
    const code = Entries?.[0]?.ErrorCode;
    if (code !== undefined) {
      const passes = isThrottle(code) || code === 'InternalFailure' || code === 'InternalException';
      throw new RejoinError(
        passes ? 'ApiThrottled' : 'ApiRefused',
        `can't ${asked}: ${code}: ${Entries?.[0]?.ErrorMessage ?? 'no message'}`,
      );
    }
  }
}
