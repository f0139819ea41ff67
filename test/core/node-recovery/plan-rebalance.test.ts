import fc from 'fast-check';
import type { Shard } from '../../../core/cluster/items';
import { planRebalance } from '../../../core/node-recovery/plan-rebalance';

const shard = (number: number, primary: string, follower: string, state: Shard['state'] = 'in sync'): Shard => ({
  id: `shard_${String(number).padStart(4, '0')}`,
  schemas: [`shard_${String(number).padStart(4, '0')}`],
  epoch: 3,
  primary,
  follower,
  version: 1,
  state,
  fence: null,
});

const loadsAfter = (shards: readonly Shard[], moved: ReadonlySet<string>, nodes: readonly string[]) =>
  nodes.map((node) => shards.filter((each) => (moved.has(each.id) ? each.follower : each.primary) === node).length);
const squares = (loads: readonly number[]) => loads.reduce((sum, load) => sum + load * load, 0);

test('a node that came back empty gets its share, with no more moves than that takes', () => {
  const nodes = ['node-1', 'node-2', 'node-3', 'node-4'];
  const pairs: readonly (readonly [string, string])[] = [
    ['node-1', 'node-2'],
    ['node-2', 'node-4'],
    ['node-4', 'node-1'],
  ];
  const others = Array.from({ length: 9 }, (_each, index) => {
    const [primary, follower] = pairs[index % 3] ?? ['node-1', 'node-2'];
    return shard(index, primary, follower);
  });
  const back = Array.from({ length: 7 }, (_each, index) =>
    shard(20 + index, nodes[[0, 1, 3][index % 3] ?? 0] ?? '', 'node-3'),
  );
  const shards = [...others, ...back];
  const moves = planRebalance(shards, nodes);
  expect(loadsAfter(shards, new Set(moves.map((move) => move.shard)), nodes)).toEqual([4, 4, 4, 4]);
  expect(moves).toHaveLength(4);
  expect(moves.every((move) => move.to === 'node-3' && move.epoch === 3)).toBe(true);
});

test('primaries pass through a node in between where the two ends share no shard', () => {
  const shards = [shard(1, 'a', 'b'), shard(2, 'a', 'b'), shard(3, 'b', 'c'), shard(4, 'a', 'b')];
  const moves = planRebalance(shards, ['a', 'b', 'c']);
  expect(loadsAfter(shards, new Set(moves.map((move) => move.shard)), ['a', 'b', 'c']).sort()).toEqual([1, 1, 2]);
});

test('shards that are not in sync, and nodes that do not serve, are left alone', () => {
  const shards = [
    shard(1, 'a', 'b', 'restoring'),
    shard(2, 'a', 'b', 'moving'),
    shard(3, 'a', 'gone'),
    shard(4, 'a', 'gone'),
  ];
  expect(planRebalance(shards, ['a', 'b'])).toEqual([]);
});

test('no plan is more even, and none as even has fewer moves', () => {
  const nodes = ['a', 'b', 'c', 'd'];
  const pair = fc.tuple(fc.constantFrom(...nodes), fc.constantFrom(...nodes)).filter(([left, right]) => left !== right);
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 9 }), (pairs) => {
      const shards = pairs.map(([primary, follower], index) => shard(index, primary, follower));
      const moves = planRebalance(shards, nodes);
      const chosen = new Set(moves.map((move) => move.shard));
      let best = { squares: Number.POSITIVE_INFINITY, moves: Number.POSITIVE_INFINITY };
      for (let mask = 0; mask < 2 ** shards.length; mask += 1) {
        const moved = new Set(shards.filter((_each, index) => (mask >> index) % 2 === 1).map((each) => each.id));
        const candidate = { squares: squares(loadsAfter(shards, moved, nodes)), moves: moved.size };
        if (candidate.squares < best.squares || (candidate.squares === best.squares && candidate.moves < best.moves)) {
          best = candidate;
        }
      }
      expect({ squares: squares(loadsAfter(shards, chosen, nodes)), moves: moves.length }).toEqual(best);
    }),
  );
});
