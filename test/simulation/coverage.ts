import type { JsonObject } from '../../core/json';
import type { HistoryEvent } from '../../local/states/execution';
import { isJsonObject } from '../../local/states/template';

/** A state of a machine, and where each of its catches leads: `Undo → It could not be undone`. */
export interface MachineParts {
  readonly states: readonly string[];
  readonly catches: readonly string[];
}

/** All states and catches of a definition, those of maps and branches included. */
export function partsOf(definition: JsonObject): MachineParts {
  const states: string[] = [];
  const catches: string[] = [];
  const graph = (given: unknown): void => {
    const inner = isJsonObject(given) && isJsonObject(given['States']) ? given['States'] : {};
    for (const [name, state] of Object.entries(inner)) {
      states.push(name);
      if (isJsonObject(state)) {
        const caught = Array.isArray(state['Catch']) ? state['Catch'] : [];
        const nexts = caught.flatMap((each) => (isJsonObject(each) ? [each['Next']] : []));
        catches.push(...nexts.filter((next) => typeof next === 'string').map((next) => catchName(name, next)));
        graph(state['ItemProcessor']);
        (Array.isArray(state['Branches']) ? state['Branches'] : []).forEach(graph);
      }
    }
  };
  graph(definition);
  return { states: [...new Set(states)], catches: [...new Set(catches)] };
}

function catchName(state: string, next: string): string {
  return `${state} → ${next}`;
}

/** Which parts of a machine the executions reached that it is shown. */
export class Coverage {
  readonly states = new Set<string>();
  readonly catches = new Set<string>();
  /** By execution: exits of states after an error, by the event's number. */
  private readonly failedExits = new WeakMap<object, Map<number, string>>();

  /** Takes note of the newest event of an execution. */
  note(execution: { readonly history: readonly HistoryEvent[] }, event: HistoryEvent): void {
    const entered = event.stateEnteredEventDetails?.name;
    const exited = event.stateExitedEventDetails?.name;
    const exits = this.failedExits.get(execution) ?? new Map<number, string>();
    if (entered !== undefined) {
      this.states.add(entered);
      const from = exits.get(event.previousEventId);
      if (from !== undefined) {
        this.catches.add(catchName(from, entered));
      }
    }
    const before = exited === undefined ? undefined : execution.history[event.previousEventId - 1];
    if (exited !== undefined && before !== undefined && /(Failed|TimedOut|Aborted)$/.test(before.type)) {
      exits.set(event.id, exited);
      this.failedExits.set(execution, exits);
    }
  }

  add(other: { readonly states: Iterable<string>; readonly catches: Iterable<string> }): void {
    for (const state of other.states) {
      this.states.add(state);
    }
    for (const each of other.catches) {
      this.catches.add(each);
    }
  }
}
