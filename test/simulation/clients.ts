import type { Shard } from '../../core/cluster/items';
import { cluster, type SimulatedCluster } from '../support/simulated-cluster';
import type { Prng } from './prng';

/** A write that a client was told is done, and may count on from then on. */
export interface Acknowledged {
  /** What a read may find: what was acknowledged last, and what was tried since without an answer. */
  readonly values: readonly (string | null)[];
  readonly atMs: number;
}

/**
 * The applications of a simulated cluster: they write through a map of the shards that they read now and then, note what was
 * acknowledged, and go on writing to a node that everybody else has given up.
 */
export class Clients {
  /** By shard and key, with a space between. */
  readonly acknowledged = new Map<string, Acknowledged>();
  private map: readonly Shard[] = [];
  private written = 0;

  /**
   * @param shards what the registry says now
   * @param addresses where each node was when the world began: a client that kept a connection still goes there
   */
  constructor(
    private readonly world: SimulatedCluster,
    private readonly shards: () => readonly Shard[],
    private readonly addresses: ReadonlyMap<string, string>,
    private readonly random: Prng,
  ) {}

  /** Takes over what was written when the world was made, and looks at the map. */
  begin(): void {
    const atMs = this.world.clock.nowMs();
    for (const [place, values] of this.world.acknowledged) {
      this.acknowledged.set(place, { values, atMs });
    }
    this.map = this.shards();
  }

  /** Writes to wherever the map says, and now and then to whoever was a primary once. */
  write(times: number): void {
    for (let time = 0; time < times; time += 1) {
      const key = `key-${this.random.between(0, 4 * this.map.length + 3)}`;
      const shard = this.map[Buffer.from(key).reduce((sum, byte) => sum + byte, 0) % this.map.length];
      if (shard === undefined) {
        throw new Error('the cluster has no shards');
      }
      const late = this.random.chance(0.2);
      const address = late
        ? this.random.pick([...this.addresses.values()])
        : this.world.dns.resolve(`${shard.primary}.${cluster}.internal`);
      if (this.writeAt(address, shard.id, key) !== 'acknowledged' && !late) {
        this.map = this.shards();
      }
    }
  }

  private writeAt(address: string, shard: string, key: string) {
    this.written += 1;
    const value = this.random.chance(0.1) ? null : `value-${this.written}`;
    const answer = this.world.servers.write(address, shard, key, value);
    const place = `${shard} ${key}`;
    const before = this.acknowledged.get(place) ?? { values: [null], atMs: 0 };
    if (answer === 'acknowledged') {
      this.acknowledged.set(place, { values: [value], atMs: this.world.clock.nowMs() });
    } else if (answer === 'not confirmed') {
      this.acknowledged.set(place, { ...before, values: [...before.values, value] });
    }
    return answer;
  }
}
