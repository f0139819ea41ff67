import { shardSchema, type Shard } from '../../core/cluster/items';
import { leaseSchema, type Lease } from '../../core/lease/lease';
import { followName } from '../../core/node-recovery/ownership';
import type { Change } from '../../core/ports/registry';
import type { Invocation, PortCall } from '../support/killable-ports';
import { cluster, type SimulatedCluster } from '../support/simulated-cluster';
import { changesCluster } from './port-calls';

export const invariants = [
  'one writer a shard',
  'no acknowledged write is lost',
  'no promotion without a recorded fence',
  'no change without the lease',
  'every execution ends with a named outcome and a reason',
  'nothing is left over',
  'the evidence agrees with the registry',
] as const;
export type Invariant = (typeof invariants)[number];

export interface Violation {
  readonly invariant: Invariant;
  readonly detail: string;
}

/** Looks at a simulated cluster after each thing that happens to it, and notes what must never be. */
export class Watch {
  readonly violations: Violation[] = [];
  /** Shards as the registry has them. */
  private readonly current = new Map<string, Shard>();
  private readonly withoutLease = new Set<Invocation>();

  constructor(
    private readonly world: SimulatedCluster,
    private readonly say: (what: string) => void,
  ) {}

  /** Begins to look at each write to the registry. */
  async begin(): Promise<void> {
    for (const shard of await this.world.registry.shards(cluster)) {
      this.current.set(shard.id, shard);
    }
    const { store } = this.world;
    const write = store.write.bind(store);
    store.write = async (changes: readonly Change[]) => {
      await write(changes);
      for (const change of changes) {
        if (change.kind === 'put' && change.key.sk.startsWith('SHARD#')) {
          this.changed(shardSchema.parse(change.value));
        }
      }
    };
  }

  get shards(): readonly Shard[] {
    return [...this.current.values()];
  }

  found(invariant: Invariant, detail: string): void {
    if (!this.violations.some((violation) => violation.invariant === invariant)) {
      this.say(`VIOLATION ${invariant}: ${detail}`);
      this.violations.push({ invariant, detail });
    }
  }

  /** A step that finds its lease lost must change nothing; one that loses it in its middle may end what it began. */
  async invoked(invocation: Invocation): Promise<void> {
    const lease = leaseOf(invocation);
    if (lease !== null && !(await this.holds(lease))) {
      this.withoutLease.add(invocation);
    }
  }

  before({ port, method, invocation }: PortCall): void {
    const name = `${port}.${method}`;
    if (this.withoutLease.has(invocation) && changesCluster(name)) {
      this.found('no change without the lease', `'${invocation.state}' called ${name} though its lease was lost`);
    }
  }

  /** Called after each effect. */
  after(): void {
    const { servers } = this.world;
    const writers = new Map<string, string>();
    for (const server of servers.all()) {
      if (!server.answers || server.standby) {
        continue;
      }
      for (const [id, shard] of server.shards) {
        if (!shard.writable || !server.synchronous.every((name) => servers.streaming(server, name) !== null)) {
          continue;
        }
        const other = writers.get(id);
        if (other !== undefined) {
          const detail = `${other} and ${server.address} (epoch ${shard.epoch}) both acknowledge writes of ${id}`;
          this.found('one writer a shard', detail);
        }
        writers.set(id, `${server.address} (epoch ${shard.epoch})`);
      }
    }
  }

  private async holds(lease: Lease): Promise<boolean> {
    const sk = lease.name === '' ? 'LEASE' : `LEASE#${lease.name}`;
    const held = leaseSchema.safeParse(await this.world.store.read({ pk: `CLUSTER#${lease.cluster}`, sk })).data;
    return held?.holder === lease.holder && held.epoch === lease.epoch && held.expiresAtMs > this.world.clock.nowMs();
  }

  private changed(after: Shard): void {
    const before = this.current.get(after.id);
    this.current.set(after.id, after);
    this.say(
      `registry: ${after.id} epoch ${after.epoch} ${after.state}, primary ${after.primary}, follower ${after.follower ?? 'none'}`,
    );
    if (before === undefined || before.primary === after.primary) {
      return;
    }
    const words = `${after.id} went from ${before.primary} to ${after.primary} at epoch ${after.epoch}`;
    const old = this.serverOf(before.primary);
    if (before.state === 'moving' && after.primary === before.follower) {
      if (old?.answers === true && old.shards.get(after.id)?.writable === true) {
        this.found('no promotion without a recorded fence', `${words} while ${before.primary} accepted writes`);
      }
      return;
    }
    const { fence } = after;
    if (fence === null || fence.atMs === before.fence?.atMs) {
      this.found('no promotion without a recorded fence', `${words} without a fence of its own`);
    } else if (fence.kind === 'machine' && old?.answers === true) {
      this.found('no promotion without a recorded fence', `${words}: fenced by its machine, but it answers`);
    } else if (
      fence.kind === 'follower' &&
      old !== null &&
      this.world.servers.streaming(old, followName(before)) !== null
    ) {
      this.found('no promotion without a recorded fence', `${words}: its follower still confirms commits`);
    }
  }

  private serverOf(nodeId: string) {
    return this.world.servers.at(this.world.dns.resolve(`${nodeId}.${cluster}.internal`));
  }
}

function leaseOf({ event }: Invocation): Lease | null {
  const { input } = event as { readonly input?: { readonly lease?: unknown } };
  return leaseSchema.safeParse(input?.lease).data ?? null;
}
