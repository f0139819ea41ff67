import { createHash } from 'node:crypto';
import type { RowRange, SchemaDescription } from '../../core/cluster/manifest';
import { positionBytes, positionOf } from '../../core/cluster/position';
import { RejoinError } from '../../core/errors';
import type { DatabaseAddress, DatabaseEngine, Peculiarity } from '../../core/ports/database-engine';
import type { Change, SimulatedServer, SimulatedServers, SimulatedShard } from './simulated-server';

/** Shards of a simulated world have one table: `item (id text primary key, value text)`. */
const table = { table: 'item', keyColumns: ['id'], columns: ['id', 'value'] };

/**
 * The DatabaseEngine of a simulated world: positions, epochs, slots, lists and rows behave as a server's do, SQL is left
 * out. What a client sees is `SimulatedServers.write`.
 */
export class SimulatedDatabases implements DatabaseEngine {
  /** Tables besides whose rows no key tells apart. */
  tablesWithoutKey: readonly string[] = [];

  /** What the preflight says, whoever is asked. */
  peculiarities: readonly Peculiarity[] = [];

  constructor(
    private readonly servers: SimulatedServers,
    private readonly resolve: (host: string) => string,
  ) {}

  // Probing
  async probe(address: DatabaseAddress) {
    const server = this.servers.at(this.resolve(address.host));
    return server?.answers === true && server.reachable
      ? { verdict: 'answers' as const, detail: 'SELECT 1', tookMs: 1 }
      : { verdict: 'refused' as const, detail: 'connection refused', tookMs: 1 };
  }
  async position(address: DatabaseAddress) {
    return this.at(address).position();
  }
  async holdings(address: DatabaseAddress, schemas: readonly string[] | 'all') {
    const server = this.at(address);
    return {
      schemas: [...server.shards.values()]
        .flatMap((shard) => shard.schemas)
        .filter((schema) => schemas === 'all' || schemas.includes(schema))
        .map((schema) => ({ schema, tables: [table.table, ...this.tablesWithoutKey] })),
      subscriptions: [...server.subscriptions.keys()],
    };
  }

  // Structure
  async preflight() {
    return this.peculiarities;
  }
  async describe(_address: DatabaseAddress, schemas: readonly string[]): Promise<SchemaDescription> {
    return {
      beforeRows: schemas.map((schema) => `CREATE TABLE ${schema}.item`),
      keys: schemas.map((schema) => `ALTER TABLE ${schema}.item ADD PRIMARY KEY`),
      indexes: [],
      afterRows: [],
      tables: schemas.map((schema) => ({ schema, ...table })),
    };
  }
  async createTables(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly epoch: number; readonly schema: SchemaDescription },
  ) {
    const schemas = order.schema.tables.map((each) => each.schema);
    this.install(this.at(address), { ...order, schemas, writable: false }, 'keep');
  }
  async startIndexes(address: DatabaseAddress) {
    this.at(address);
  }
  async indexProgress(address: DatabaseAddress) {
    this.at(address);
    return { built: 1, total: 1, running: [], failed: [] };
  }
  async finishTables(address: DatabaseAddress) {
    this.at(address);
  }
  async dropUniques(address: DatabaseAddress) {
    this.at(address);
  }
  async dropShard(address: DatabaseAddress, order: { readonly shard: string }) {
    this.at(address).shards.delete(order.shard);
  }

  // Ownership
  async installShard(
    address: DatabaseAddress,
    order: {
      readonly shard: string;
      readonly schemas: readonly string[];
      readonly epoch: number;
      readonly writable: boolean;
    },
  ) {
    this.install(this.at(address), order, 'replace');
  }
  async shards(address: DatabaseAddress) {
    const { shards, standby } = this.at(address);
    return [...shards].map(([shard, { epoch, writable }]) => ({ shard, epoch, writable: writable && !standby }));
  }
  async openShard(address: DatabaseAddress, order: { readonly shard: string; readonly epoch: number }) {
    const shard = this.shardFor(address, order);
    if (this.at(address).standby) {
      throw new RejoinError('SqlFailed', `node '${address.nodeId}' is a standby, which accepts no writes`);
    }
    shard.epoch = order.epoch;
    shard.writable = true;
  }
  async closeShard(address: DatabaseAddress, order: { readonly shard: string; readonly epoch: number }) {
    const shard = this.shardFor(address, order);
    shard.epoch = order.epoch;
    shard.writable = false;
    return this.at(address).position();
  }
  async revokeShard(address: DatabaseAddress, order: { readonly shard: string; readonly epoch: number }) {
    await this.closeShard(address, order);
  }
  async setSynchronousFollowers(address: DatabaseAddress, names: readonly string[]) {
    this.at(address).synchronous = [...names];
  }
  async synchronousFollowers(address: DatabaseAddress) {
    return this.at(address).synchronous;
  }

  // Capture
  async openSlot(address: DatabaseAddress, order: { readonly slot: string; readonly shard: string }) {
    const server = this.at(address);
    const there = server.slots.get(order.slot);
    if (there === undefined || there.lost) {
      server.slots.set(order.slot, { shard: order.shard, confirmed: server.log, changes: [], lost: false });
    }
    return positionOf(server.slots.get(order.slot)?.confirmed ?? 0n);
  }
  async slot(address: DatabaseAddress, name: string) {
    const server = this.at(address);
    const slot = server.slots.get(name);
    if (slot === undefined || slot.lost) {
      return { state: slot === undefined ? ('absent' as const) : ('lost' as const), confirmedTo: null, lagBytes: null };
    }
    return {
      state: 'usable' as const,
      confirmedTo: positionOf(slot.confirmed),
      lagBytes: Number(server.log - slot.confirmed),
    };
  }
  async retention(address: DatabaseAddress) {
    const server = this.at(address);
    const held = [...server.slots.values()].filter((slot) => !slot.lost).map((slot) => server.log - slot.confirmed);
    return { retainedBytes: Math.max(0, ...held.map(Number)), limitBytes: 1_048_576 };
  }
  async peek(address: DatabaseAddress, order: { readonly slot: string; readonly maxBytes: number }) {
    const slot = this.at(address).slots.get(order.slot);
    if (slot === undefined || slot.lost) {
      throw new RejoinError('SlotLost', `slot '${order.slot}' is lost`);
    }
    const most = Math.max(1, Math.floor(order.maxBytes / 256));
    const taken = slot.changes.slice(0, most);
    const last = taken.at(-1);
    if (last === undefined) {
      return null;
    }
    return {
      body: Buffer.from(JSON.stringify(taken.map(({ key, value, at }) => ({ key, value, at: String(at) })))),
      from: positionOf(slot.confirmed),
      to: positionOf(last.at),
      rows: taken.length,
      transactions: taken.length,
      drained: taken.length === slot.changes.length,
    };
  }
  async advance(address: DatabaseAddress, order: { readonly slot: string; readonly to: string }) {
    this.at(address).advance(order.slot, positionBytes(order.to));
  }
  async dropSlot(address: DatabaseAddress, name: string) {
    this.at(address).slots.delete(name);
  }

  // Rows
  async planRanges(
    address: DatabaseAddress,
    order: { readonly schemas: readonly string[]; readonly rowsPerChunk: number },
  ) {
    return order.schemas.flatMap((schema) => {
      const keys = [...this.rowsOf(address, schema).keys()].sort();
      const cuts = keys.filter((_key, index) => index > 0 && index % order.rowsPerChunk === 0);
      return [null, ...cuts].map((low, index) => ({
        range: {
          schema,
          table: table.table,
          keyColumns: table.keyColumns,
          lowKey: low === null ? null : [low],
          highKey: cuts[index] === undefined ? null : [cuts[index]],
        },
        columns: table.columns,
      }));
    });
  }
  async readRange(address: DatabaseAddress, order: { readonly range: RowRange }) {
    const rows = this.inRange(address, order.range).map(([key, { value }]) => [key, value]);
    return { body: Buffer.from(JSON.stringify(rows)), rows: rows.length };
  }
  async loadRows(
    address: DatabaseAddress,
    order: { readonly loadId: string; readonly shard: string; readonly body: Buffer },
  ) {
    const server = this.at(address);
    if (server.loaded.has(order.loadId)) {
      return 0;
    }
    const rows = JSON.parse(order.body.toString()) as [string, string][];
    for (const [key, value] of rows) {
      server.put(order.shard, key, value);
    }
    server.loaded.add(order.loadId);
    return rows.length;
  }
  async checkRows(_address: DatabaseAddress, order: { readonly body: Buffer }) {
    return (JSON.parse(order.body.toString()) as unknown[]).length;
  }
  async applyChanges(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly lineage: string; readonly body: Buffer; readonly to: string },
  ) {
    const server = this.at(address);
    const key = `${order.shard}/${order.lineage}`;
    const reached = server.applied.get(key) ?? -1n;
    const all =
      order.body.length === 0 ? [] : (JSON.parse(order.body.toString()) as (Omit<Change, 'at'> & { at: string })[]);
    const due = all.filter((change) => BigInt(change.at) > reached);
    for (const change of due) {
      server.put(order.shard, change.key, change.value);
    }
    const to = positionBytes(order.to);
    server.applied.set(key, to > reached ? to : reached);
    return { rows: due.length, passedOver: all.length - due.length };
  }
  async appliedTo(address: DatabaseAddress, order: { readonly shard: string; readonly lineage: string }) {
    const server = this.at(address);
    const applied = server.applied.get(`${order.shard}/${order.lineage}`) ?? null;
    const native = server.subscriptions.get(order.lineage)?.origin ?? null;
    const furthest = applied !== null && native !== null && native > applied ? native : (applied ?? native);
    return furthest === null ? null : positionOf(furthest);
  }

  // Comparison
  async checksum(address: DatabaseAddress, range: RowRange) {
    const rows = this.inRange(address, range);
    const sum = (from: number): string =>
      String(
        rows
          .map(([key, { value }]) =>
            createHash('md5')
              .update(JSON.stringify([key, value]))
              .digest()
              .readBigUInt64BE(from),
          )
          .reduce((total, half) => (total + half) % 2n ** 64n, 0n),
      );
    return { rows: rows.length, high: sum(0), low: sum(8) };
  }
  async digests(address: DatabaseAddress, range: RowRange) {
    return this.inRange(address, range).map(([key, { value }]) => ({ key: [key], md5: md5Of(key, value) }));
  }
  async rowDigests(
    address: DatabaseAddress,
    order: { readonly range: RowRange; readonly keys: readonly (readonly string[])[] },
  ) {
    return order.keys.map(([key = '']) => {
      const row = this.rowsOf(address, order.range.schema).get(key);
      return row === undefined ? null : { md5: md5Of(key, row.value), xmin: row.xmin };
    });
  }
  async repairRows(
    source: DatabaseAddress,
    target: DatabaseAddress,
    order: { readonly shard: string; readonly range: RowRange; readonly keys: readonly (readonly string[])[] },
  ) {
    const right = this.rowsOf(source, order.range.schema);
    for (const [key = ''] of order.keys) {
      this.at(target).put(order.shard, key, right.get(key)?.value ?? null);
    }
    return order.keys.length;
  }

  // Replication
  async follow(
    follower: DatabaseAddress,
    order: { readonly name: string; readonly shard: string; readonly primary: DatabaseAddress; readonly from: string },
  ) {
    const server = this.at(follower);
    const there = server.subscriptions.get(order.name);
    if (there?.enabled === true) {
      return;
    }
    const from = positionBytes(order.from);
    const origin = there !== undefined && there.origin > from ? there.origin : from;
    const primary = this.resolve(order.primary.host);
    server.subscriptions.set(order.name, { shard: order.shard, primary, enabled: true, origin });
    this.servers.replicate();
  }
  async followerState(primary: DatabaseAddress, name: string) {
    this.servers.replicate();
    const server = this.at(primary);
    const slot = server.slots.get(name);
    return {
      streaming: this.servers.streaming(server, name) !== null,
      flushedTo: slot === undefined ? null : positionOf(slot.confirmed),
      lagBytes: slot === undefined ? null : Number(server.log - slot.confirmed),
    };
  }
  async streamingFollowers(primary: DatabaseAddress) {
    const server = this.at(primary);
    return [...server.slots.keys()].filter((name) => this.servers.streaming(server, name) !== null);
  }
  async confirmedPositions(primary: DatabaseAddress) {
    return Object.fromEntries([...this.at(primary).slots].map(([name, slot]) => [name, positionOf(slot.confirmed)]));
  }
  async writeMarker(primary: DatabaseAddress) {
    return this.at(primary).mark();
  }
  async pauseFollowing(follower: DatabaseAddress, name: string) {
    this.servers.replicate();
    this.subscription(follower, name).enabled = false;
  }
  async resumeFollowing(follower: DatabaseAddress, name: string) {
    this.subscription(follower, name).enabled = true;
  }
  async leaveReplication(address: DatabaseAddress) {
    const server = this.at(address);
    server.subscriptions.clear();
    server.slots.clear();
  }
  async stopFollowing(follower: DatabaseAddress, name: string) {
    this.at(follower).subscriptions.delete(name);
  }

  // Standby
  async standbyState(address: DatabaseAddress) {
    this.servers.replicate();
    const server = this.at(address);
    const reached = server.standby ? server.position() : null;
    const streaming = this.servers.primaryOf(server) !== null;
    return { standby: server.standby, streaming, receivedTo: reached, replayedTo: reached };
  }
  async standBehind(
    standby: DatabaseAddress,
    order: { readonly name: string; readonly primary: DatabaseAddress },
  ): Promise<void> {
    const server = this.at(standby);
    if (!server.standby) {
      throw new RejoinError('SqlFailed', `node '${standby.nodeId}' is a primary, so it can stand behind nobody`);
    }
    const primary = this.at(order.primary);
    if (server.log > primary.log) {
      throw new RejoinError('SqlFailed', `node '${standby.nodeId}' has log that '${order.primary.nodeId}' never had`);
    }
    primary.standbySlots.add(order.name);
    server.behind = { name: order.name, primary: primary.address };
    this.servers.replicate();
  }
  async promoteStandby(address: DatabaseAddress) {
    const server = this.at(address);
    server.standby = false;
    server.behind = null;
  }
  async logKeptFromMs(address: DatabaseAddress) {
    return this.at(address).logKeptFromMs;
  }
  async forgetStandby(primary: DatabaseAddress, name: string) {
    this.at(primary).standbySlots.delete(name);
  }

  private at(address: DatabaseAddress): SimulatedServer {
    const server = this.servers.at(this.resolve(address.host));
    if (server?.answers !== true || !server.reachable) {
      throw new RejoinError('SqlUnavailable', `node '${address.nodeId}' does not answer`);
    }
    return server;
  }

  private install(
    server: SimulatedServer,
    order: {
      readonly shard: string;
      readonly schemas: readonly string[];
      readonly epoch: number;
      readonly writable: boolean;
    },
    what: 'keep' | 'replace',
  ): void {
    const there = server.shards.get(order.shard);
    if (there === undefined) {
      server.shards.set(order.shard, { ...order, rows: new Map() });
    } else if (what === 'replace') {
      there.epoch = order.epoch;
      there.writable = order.writable;
    }
  }

  private shardFor(
    address: DatabaseAddress,
    order: { readonly shard: string; readonly epoch: number },
  ): SimulatedShard {
    const shard = this.at(address).shards.get(order.shard);
    if (shard === undefined) {
      throw new RejoinError('NotFound', `node '${address.nodeId}' holds no shard '${order.shard}'`);
    }
    if (shard.epoch > order.epoch) {
      throw new RejoinError(
        'ConditionFailed',
        `${order.shard} is at epoch ${shard.epoch}, ${order.epoch} comes too late`,
      );
    }
    return shard;
  }

  private rowsOf(address: DatabaseAddress, schema: string): SimulatedShard['rows'] {
    const shard = [...this.at(address).shards.values()].find((each) => each.schemas.includes(schema));
    if (shard === undefined) {
      throw new RejoinError('SqlFailed', `node '${address.nodeId}' has no schema '${schema}'`);
    }
    return shard.rows;
  }

  private inRange(address: DatabaseAddress, range: RowRange) {
    const [low] = range.lowKey ?? [];
    const [high] = range.highKey ?? [];
    return [...this.rowsOf(address, range.schema)]
      .filter(([key]) => (low === undefined || key >= low) && (high === undefined || key < high))
      .sort(([left], [right]) => (left < right ? -1 : 1));
  }

  private subscription(follower: DatabaseAddress, name: string) {
    const found = this.at(follower).subscriptions.get(name);
    if (found === undefined) {
      throw new RejoinError('NotFound', `node '${follower.nodeId}' has no subscription '${name}'`);
    }
    return found;
  }
}

function md5Of(key: string, value: string): string {
  return createHash('md5')
    .update(JSON.stringify([key, value]))
    .digest('hex');
}
