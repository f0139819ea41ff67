import type { Shard } from '../cluster/items';

/**
 * A shard whose two owners change roles. `epoch`: the shard's when the move was planned; another one means that somebody
 * changed it since.
 */
export type PrimaryMove = Readonly<{ shard: string; from: string; to: string; epoch: number }>;

/** One more unit of balance is worth more than any number of moves. */
const balanceWeight = 10_000;
/** Stands for the rest of the cluster: what one node gives, another takes. */
const rest = '';

interface Arc {
  readonly from: string;
  readonly to: string;
  readonly cost: number;
  /** The shard that changes its owner along it; null for the balance between nodes. */
  readonly shard: string | null;
}

/**
 * Which primaries move so that the nodes' numbers of them differ as little as their followers allow (rule 13: by at most
 * 1 wherever that can be reached), with as few moves as possible.
 *
 * A primary can move to its follower only, so a path of moves may be needed. Negative cycles of the residual graph are
 * cancelled until none is left (Klein's algorithm), which is the optimum of both aims in this order.
 */
export function planRebalance(shards: readonly Shard[], serving: readonly string[]): readonly PrimaryMove[] {
  const here = new Set(serving);
  const movable = shards.filter(
    (shard) =>
      shard.state === 'in sync' && shard.follower !== null && here.has(shard.primary) && here.has(shard.follower),
  );
  const load = new Map(serving.map((node) => [node, shards.filter((shard) => shard.primary === node).length]));
  const holder = new Map(movable.map((shard) => [shard.id, shard.primary]));
  for (;;) {
    const cycle = negativeCycle([rest, ...serving], arcsOf(movable, holder, load));
    if (cycle === null) {
      break;
    }
    for (const arc of cycle) {
      if (arc.shard !== null) {
        holder.set(arc.shard, arc.to);
        load.set(arc.from, (load.get(arc.from) ?? 0) - 1);
        load.set(arc.to, (load.get(arc.to) ?? 0) + 1);
      }
    }
  }
  return movable
    .filter((shard) => holder.get(shard.id) !== shard.primary)
    .map((shard) => ({ shard: shard.id, from: shard.primary, to: shard.follower ?? '', epoch: shard.epoch }));
}

/** The moves that leave a node without primaries, before it is taken away on purpose (rule 16). */
export function planEvacuation(shards: readonly Shard[], nodeId: string): readonly PrimaryMove[] {
  return shards.flatMap((shard) =>
    shard.primary === nodeId && shard.follower !== null && shard.state === 'in sync'
      ? [{ shard: shard.id, from: nodeId, to: shard.follower, epoch: shard.epoch }]
      : [],
  );
}

function arcsOf(
  movable: readonly Shard[],
  holder: ReadonlyMap<string, string>,
  load: ReadonlyMap<string, number>,
): readonly Arc[] {
  const moves = movable.map((shard): Arc => {
    const moved = holder.get(shard.id) !== shard.primary;
    const owners = { primary: shard.primary, follower: shard.follower ?? '' };
    return moved
      ? { from: owners.follower, to: owners.primary, cost: -1, shard: shard.id }
      : { from: owners.primary, to: owners.follower, cost: 1, shard: shard.id };
  });
  // The sum of squares is least where loads are even: one more on a node with n costs 2n + 1, one fewer gives 2n - 1 back.
  const balance = [...load].flatMap(([node, count]): readonly Arc[] => [
    { from: node, to: rest, cost: balanceWeight * (2 * count + 1), shard: null },
    { from: rest, to: node, cost: -balanceWeight * (2 * count - 1), shard: null },
  ]);
  return [...moves, ...balance];
}

/** Bellman and Ford's: a cycle whose costs sum to less than 0, or null. Two arcs of one node's balance are no cycle of use. */
function negativeCycle(nodes: readonly string[], arcs: readonly Arc[]): readonly Arc[] | null {
  const distance = new Map(nodes.map((node) => [node, 0]));
  const by = new Map<string, Arc>();
  // As many rounds as there are nodes: where the last one still finds a shorter way, that way leads round a cycle.
  const lastChanges = nodes.map(() => relax(arcs, distance, by));
  const last = lastChanges.at(-1) ?? null;
  return last === null ? null : cycleThrough(last, nodes.length, by);
}

/** One round over all arcs. @returns a node that was reached at less cost than before, or null */
function relax(arcs: readonly Arc[], distance: Map<string, number>, by: Map<string, Arc>): string | null {
  let changed: string | null = null;
  for (const arc of arcs) {
    const reached = (distance.get(arc.from) ?? 0) + arc.cost;
    if (reached < (distance.get(arc.to) ?? 0)) {
      distance.set(arc.to, reached);
      by.set(arc.to, arc);
      changed = arc.to;
    }
  }
  return changed;
}

function cycleThrough(start: string, steps: number, by: ReadonlyMap<string, Arc>): readonly Arc[] {
  let node = start;
  for (let step = 0; step < steps; step += 1) {
    node = by.get(node)?.from ?? node;
  }
  const cycle: Arc[] = [];
  const first = node;
  do {
    const arc = by.get(node);
    if (arc === undefined) {
      break;
    }
    cycle.unshift(arc);
    node = arc.from;
  } while (node !== first);
  return cycle;
}
