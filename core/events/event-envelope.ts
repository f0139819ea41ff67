import type { JsonObject } from '../json';
import type { DomainEvent } from '../ports/surroundings';

/** What rules match as `source`; the event's type is their `detail-type`. */
export const eventSource = 'rejoin';

/** What rules match as `detail`: the event's own, and its cluster. */
export function detailOf(event: DomainEvent): JsonObject {
  return { ...event.detail, cluster: event.cluster };
}
