import { positionOf, type LogPosition } from '../../core/cluster/position';

/** A row written or deleted, where it stands in its server's log. */
export interface Change {
  readonly at: bigint;
  readonly shard: string;
  readonly key: string;
  /** Null: deleted. */
  readonly value: string | null;
}

export interface SimulatedShard {
  readonly schemas: readonly string[];
  epoch: number;
  writable: boolean;
  readonly rows: Map<string, { readonly value: string; readonly xmin: string }>;
}

export interface SimulatedSlot {
  readonly shard: string;
  confirmed: bigint;
  changes: Change[];
  lost: boolean;
}

export interface Subscription {
  readonly shard: string;
  /** The address of the primary. */
  readonly primary: string;
  enabled: boolean;
  origin: bigint;
}

/** What a change adds to the log. */
const changeBytes = 128n;

/** One database server of a simulated world: rows, a log, slots, subscriptions. All in memory; lost with `lose`. */
export class SimulatedServer {
  /** False: its process is gone, or nobody reaches it. */
  answers = true;
  /** False: agents and steps don't reach it, though it runs, has its clients, and takes part in replication. */
  reachable = true;
  /** False: it takes part in no replication, though it answers. */
  replicates = true;
  log = 0x100_0000n;
  readonly shards = new Map<string, SimulatedShard>();
  readonly slots = new Map<string, SimulatedSlot>();
  readonly subscriptions = new Map<string, Subscription>();
  readonly applied = new Map<string, bigint>();
  readonly loaded = new Set<string>();
  synchronous: readonly string[] = [];
  /** Whether it is a physical standby: it has its primary's rows and log, and no writes of its own. */
  standby = false;
  /** Whose log it receives, and by which slot there; null: nobody's. */
  behind: { readonly name: string; readonly primary: string } | null = null;
  /** Since when its log has everything; null: since ever. */
  logKeptFromMs: number | null = null;
  /** The slots of standbys of its own. */
  readonly standbySlots = new Set<string>();

  constructor(readonly address: string) {}

  copyTo(address: string): SimulatedServer {
    const copy = new SimulatedServer(address);
    copy.synchronous = this.synchronous;
    copy.takeRows(this);
    for (const [name, slot] of this.slots) {
      copy.slots.set(name, { ...slot, changes: [...slot.changes] });
    }
    for (const [name, subscription] of this.subscriptions) {
      copy.subscriptions.set(name, { ...subscription });
    }
    return copy;
  }

  /** Makes rows and log those of another server. */
  takeRows(from: SimulatedServer): void {
    this.log = from.log;
    this.shards.clear();
    for (const [id, shard] of from.shards) {
      this.shards.set(id, { ...shard, rows: new Map(shard.rows) });
    }
  }

  position(): LogPosition {
    return positionOf(this.log);
  }

  /** Changes a row, whoever wants it: a client, a worker that applies, a repair. */
  put(shardId: string, key: string, value: string | null): void {
    this.log += changeBytes;
    const shard = this.shards.get(shardId);
    if (value === null) {
      shard?.rows.delete(key);
    } else {
      shard?.rows.set(key, { value, xmin: String(this.log) });
    }
    for (const slot of this.slots.values()) {
      if (slot.shard === shardId) {
        slot.changes.push({ at: this.log, shard: shardId, key, value });
      }
    }
  }

  /** Something of our own in the log: no slot gives it away, but followers confirm past it. */
  mark(): LogPosition {
    this.log += changeBytes;
    return this.position();
  }

  advance(name: string, to: bigint): void {
    const slot = this.slots.get(name);
    if (slot !== undefined && to > slot.confirmed) {
      slot.confirmed = to;
      slot.changes = slot.changes.filter((change) => change.at > to);
    }
  }
}

/** What a client hears of a write. Only `acknowledged` may never be lost. */
export type WriteAnswer = 'acknowledged' | 'not primary' | 'not confirmed' | 'no answer';

/** The servers of a simulated world, and replication between them. */
export class SimulatedServers {
  private readonly servers = new Map<string, SimulatedServer>();

  at(address: string): SimulatedServer | null {
    return this.servers.get(address) ?? null;
  }

  all(): readonly SimulatedServer[] {
    return [...this.servers.values()];
  }

  start(address: string): SimulatedServer {
    const server = this.servers.get(address) ?? new SimulatedServer(address);
    server.answers = true;
    this.servers.set(address, server);
    return server;
  }

  /** A copy of all that a server has, as a snapshot takes it. */
  copy(address: string): SimulatedServer {
    const server = this.servers.get(address);
    if (server === undefined) {
      throw new Error(`there is no server at ${address}`);
    }
    return server.copyTo(address);
  }

  /** Starts a server with what a snapshot has. */
  restore(address: string, snapshot: SimulatedServer): void {
    this.servers.set(address, snapshot.copyTo(address));
  }

  /** Starts a server as a standby with what a snapshot has; it receives nobody's log yet. */
  restoreStandby(address: string, snapshot: SimulatedServer): void {
    this.restore(address, snapshot);
    const standby = this.start(address);
    standby.standby = true;
    standby.slots.clear();
  }

  /** Ends a server's processes; its rows stay. */
  kill(address: string): void {
    const server = this.servers.get(address);
    if (server !== undefined) {
      server.answers = false;
    }
  }

  /** A client's write, with the wait for those who have to confirm it. */
  write(address: string, shardId: string, key: string, value: string | null): WriteAnswer {
    const server = this.servers.get(address);
    if (server?.answers !== true) {
      return 'no answer';
    }
    if (server.standby || server.shards.get(shardId)?.writable !== true) {
      return 'not primary';
    }
    server.put(shardId, key, value);
    const end = server.log;
    this.replicate();
    return server.synchronous.every((name) => this.confirmed(server, name) >= end) ? 'acknowledged' : 'not confirmed';
  }

  /** Lets every follower that can take what its primary has, until nobody has anything left to take. */
  replicate(): void {
    let moved = true;
    while (moved) {
      moved = [...this.servers.values()].map((follower) => this.take(follower)).includes(true);
    }
    for (const standby of this.servers.values()) {
      const primary = this.primaryOf(standby);
      if (primary !== null) {
        standby.takeRows(primary);
      }
    }
  }

  /** The primary that a standby streams from, or null. One that is ahead of it has another history. */
  primaryOf(standby: SimulatedServer): SimulatedServer | null {
    const primary = this.servers.get(standby.behind?.primary ?? '');
    const streams =
      standby.standby &&
      standby.answers &&
      standby.replicates &&
      primary?.answers === true &&
      primary.standbySlots.has(standby.behind?.name ?? '') &&
      primary.log >= standby.log;
    return streams ? primary : null;
  }

  /** The follower of that name that streams from the server, or null. */
  streaming(primary: SimulatedServer, name: string): SimulatedServer | null {
    const slot = primary.slots.get(name);
    if (!primary.answers || slot === undefined || slot.lost) {
      return null;
    }
    return (
      [...this.servers.values()].find(
        (server) =>
          server.answers &&
          server.replicates &&
          server.subscriptions.get(name)?.enabled === true &&
          server.subscriptions.get(name)?.primary === primary.address,
      ) ?? null
    );
  }

  private confirmed(primary: SimulatedServer, name: string): bigint {
    return this.streaming(primary, name) === null ? -1n : (primary.slots.get(name)?.confirmed ?? -1n);
  }

  /** @returns whether rows came over, which others may have to take from here */
  private take(follower: SimulatedServer): boolean {
    let moved = false;
    for (const [name, subscription] of follower.subscriptions) {
      const primary = this.servers.get(subscription.primary);
      if (primary === undefined || this.streaming(primary, name) !== follower) {
        continue;
      }
      const end = primary.log;
      const due = primary.slots.get(name)?.changes.filter((change) => change.at > subscription.origin) ?? [];
      for (const change of due) {
        follower.put(change.shard, change.key, change.value);
        moved = true;
      }
      subscription.origin = end;
      primary.advance(name, end);
    }
    return moved;
  }
}
