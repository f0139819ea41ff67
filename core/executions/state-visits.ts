import type { StateVisit } from '../ports/surroundings';

/** One event of an execution's history, as far as visits go. */
export interface StateEvent {
  readonly id: number;
  /** The event that it follows in its own branch; 0 for the first. */
  readonly previousEventId: number;
  /** As AWS names it: `TaskStateEntered`, `MapIterationStarted`, … */
  readonly type: string;
  readonly atMs: number;
  /** The state that is entered or exited; null for other events. */
  readonly state: string | null;
}

/**
 * The states that an execution has been in, in order of entry. Branches and iterations run at once and visit states of the
 * same name, so an exit is matched to its entry by going back along its own branch.
 */
export function visitsOf(events: readonly StateEvent[]): readonly StateVisit[] {
  const byId = new Map(events.map((event) => [event.id, event]));
  const exits = new Map<number, number>();
  for (const event of events) {
    if (event.type.endsWith('StateExited')) {
      const entry = entryOf(event, byId);
      if (entry !== null) {
        exits.set(entry.id, event.atMs);
      }
    }
  }
  return events
    .filter((event) => event.type.endsWith('StateEntered'))
    .map((event) => ({
      state: event.state ?? '',
      enteredAtMs: event.atMs,
      exitedAtMs: exits.get(event.id) ?? null,
    }));
}

function entryOf(exit: StateEvent, byId: ReadonlyMap<number, StateEvent>): StateEvent | null {
  let at = byId.get(exit.previousEventId);
  while (at !== undefined && !(at.type.endsWith('StateEntered') && at.state === exit.state)) {
    at = byId.get(at.previousEventId);
  }
  return at ?? null;
}
