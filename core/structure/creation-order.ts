import { RejoinError } from '../errors';

/** `view`: materialized ones too. */
export type ObjectKind = 'collation' | 'type' | 'function' | 'sequence' | 'table' | 'view';

/** Something that a statement creates, as far as its place among the others goes. */
export interface CreatedObject {
  readonly id: string;
  readonly kind: ObjectKind;
  /** Orders what nothing else orders: the same on each node, as ids are not. */
  readonly name: string;
}

export interface Dependency {
  readonly from: string;
  readonly to: string;
  /** Whether the statement that creates `from` needs `to`; false for what is added to a table later, such as a default. */
  readonly atCreation: boolean;
}

const kindOrder: readonly ObjectKind[] = ['collation', 'type', 'sequence', 'function', 'table', 'view'];

/**
 * Which objects are created before the rows and which after, each in an order in which everything is there when it is
 * needed. Views come after the rows, because some of them need a primary key to be there, except those that a table
 * needs; functions come before unless they need a view that comes after.
 *
 * @throws PreflightRefused when objects need each other in a circle
 */
export function creationOrder(
  objects: readonly CreatedObject[],
  dependencies: readonly Dependency[],
): { readonly beforeRows: readonly string[]; readonly afterRows: readonly string[] } {
  const known = new Map(objects.map((object) => [object.id, object]));
  const needs = new Map<string, Set<string>>(objects.map(({ id }) => [id, new Set()]));
  const creationNeeds = new Map<string, Set<string>>(objects.map(({ id }) => [id, new Set()]));
  for (const { from, to, atCreation } of dependencies) {
    if (from !== to && known.has(from) && known.has(to)) {
      needs.get(from)?.add(to);
      if (atCreation) {
        creationNeeds.get(from)?.add(to);
      }
    }
  }
  const rowsNeed = reachable(
    objects.filter(({ kind }) => kind !== 'view' && kind !== 'function').map(({ id }) => id),
    needs,
  );
  const lateViews = objects.filter(({ id, kind }) => kind === 'view' && !rowsNeed.has(id));
  const late = reachable(
    lateViews.map(({ id }) => id),
    inverted(needs),
  );
  const ordered = topological(objects, creationNeeds);
  return {
    beforeRows: ordered.filter((id) => !late.has(id)),
    afterRows: ordered.filter((id) => late.has(id)),
  };
}

/** What can be reached from `start`, itself included. */
function reachable(start: readonly string[], edges: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  const seen = new Set(start);
  const open = [...start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const next of edges.get(id) ?? []) {
      if (!seen.has(next)) {
        seen.add(next);
        open.push(next);
      }
    }
  }
  return seen;
}

function inverted(edges: ReadonlyMap<string, ReadonlySet<string>>): ReadonlyMap<string, ReadonlySet<string>> {
  const result = new Map<string, Set<string>>();
  for (const [from, targets] of edges) {
    for (const to of targets) {
      result.set(to, (result.get(to) ?? new Set()).add(from));
    }
  }
  return result;
}

/** Each object after all that it needs; among those that are ready, by kind and name. */
function topological(
  objects: readonly CreatedObject[],
  needs: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] {
  const missing = new Map(objects.map(({ id }) => [id, needs.get(id)?.size ?? 0]));
  const dependents = inverted(needs);
  const preferred = [...objects].sort(byKindAndName);
  const rank = new Map(preferred.map(({ id }, index) => [id, index]));
  const ready = new RankedQueue(preferred.filter(({ id }) => missing.get(id) === 0).map(({ id }) => rank.get(id) ?? 0));
  const ordered: string[] = [];
  for (let next = ready.take(); next !== null; next = ready.take()) {
    const id = preferred[next]?.id ?? '';
    ordered.push(id);
    for (const dependent of dependents.get(id) ?? []) {
      const left = (missing.get(dependent) ?? 0) - 1;
      missing.set(dependent, left);
      if (left === 0) {
        ready.add(rank.get(dependent) ?? 0);
      }
    }
  }
  if (ordered.length < objects.length) {
    const done = new Set(ordered);
    const circle = preferred.filter(({ id }) => !done.has(id)).map(({ name }) => name);
    throw new RejoinError(
      'PreflightRefused',
      `these objects need each other to be created: ${circle.join(', ')}; break the circle, for example with a function that takes no type of it`,
    );
  }
  return ordered;
}

function byKindAndName(left: CreatedObject, right: CreatedObject): number {
  const byKind = kindOrder.indexOf(left.kind) - kindOrder.indexOf(right.kind);
  return byKind !== 0 ? byKind : left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

/** Numbers, smallest first (a binary heap): a shard may have ten thousand partitions. */
class RankedQueue {
  private readonly heap: number[] = [];

  constructor(items: readonly number[]) {
    items.forEach((item) => {
      this.add(item);
    });
  }

  add(item: number): void {
    this.heap.push(item);
    let at = this.heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.at(parent) <= this.at(at)) {
        return;
      }
      this.swap(parent, at);
      at = parent;
    }
  }

  take(): number | null {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (first === undefined || last === undefined) {
      return null;
    }
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.sink();
    }
    return first;
  }

  private sink(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const smallest = [left, left + 1]
        .filter((child) => child < this.heap.length)
        .reduce((best, child) => (this.at(child) < this.at(best) ? child : best), at);
      if (smallest === at) {
        return;
      }
      this.swap(smallest, at);
      at = smallest;
    }
  }

  private at(index: number): number {
    return this.heap[index] ?? Number.POSITIVE_INFINITY;
  }

  private swap(left: number, right: number): void {
    const kept = this.at(left);
    this.heap[left] = this.at(right);
    this.heap[right] = kept;
  }
}
