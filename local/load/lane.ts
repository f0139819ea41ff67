import { DatabaseError } from 'pg';
import { shardId } from '../../core/cluster/names';
import { identifier } from '../../engines/postgresql/identifier';
import type { Answer } from './figures';
import type { Ledger } from './ledger';
import { PacedLoop } from './paced-loop';
import type { RandomSequence } from './random-sequence';
import { ShardConnection } from './shard-connection';
import type { ShardMap } from './shard-map';

export interface LaneOptions {
  readonly shard: number;
  /** Customers of this shard to whom new orders may belong. */
  readonly customers: readonly number[];
  /** Orders that only this lane changes, so that it always knows their state. */
  readonly orders: number[];
  /** The first id of orders that this lane makes. */
  readonly firstNewOrder: number;
  readonly pauseMs: number;
  readonly database: string;
  readonly localAddress: string;
  readonly user: string;
  readonly password: string;
}

export interface LaneWorld {
  readonly map: ShardMap;
  readonly ledger: Ledger;
  readonly random: RandomSequence;
  readonly resolve: (hostName: string) => Promise<string>;
  readonly answered: (answer: Answer) => void;
  readonly failed: (shard: number, reason: string) => void;
}

const retryPauseMs = 25;
/** Shares of 25 inserts, 65 updates and 10 deletes in 100 writes, beside 40 reads. */
const mix = { insert: 25, update: 65, delete: 10, read: 40 };

interface Operation {
  readonly kind: keyof typeof mix;
  readonly orderId: number;
  /** The order's version afterwards; null: deleted. */
  readonly version: number | null;
  readonly before: number | null;
  readonly sql: string;
}

/** One client of one shard, which sends one request after the other. */
export class Lane {
  private readonly versions = new Map<number, number>();
  private readonly connection: ShardConnection;
  private nextOrder: number;
  private readonly loop: PacedLoop;

  constructor(
    private readonly options: LaneOptions,
    private readonly world: LaneWorld,
  ) {
    this.connection = new ShardConnection({ ...options, shard: shardId(options.shard) }, world);
    this.loop = new PacedLoop(options.pauseMs, () => this.request(this.choose()));
    this.nextOrder = options.firstNewOrder;
    for (const order of options.orders) {
      this.versions.set(order, 1);
      world.ledger.adopt(order, options.shard, 1);
    }
  }

  async run(): Promise<void> {
    await this.loop.run();
    await this.connection.close();
  }

  stop(): void {
    this.loop.stop();
  }

  private async request(operation: Operation): Promise<void> {
    const { shard } = this.options;
    const begunAtMs = Date.now();
    let sent = false;
    try {
      const opened = await this.connection.open();
      sent = true;
      await opened.client.query(`SELECT set_config('rejoin.epoch', '${opened.route.epoch}', true); ${operation.sql}`);
      if (opened.warned) {
        throw new Error('the server gave up waiting for its follower: the commit is not acknowledged');
      }
      const atMs = Date.now();
      this.world.answered({ atMs, shard, tookMs: atMs - begunAtMs, write: operation.kind !== 'read' });
      this.note(operation);
    } catch (thrown) {
      this.world.failed(shard, thrown instanceof Error ? thrown.message : String(thrown));
      // An error that the server answered undid the transaction and left the connection; silence leaves both in doubt.
      if (!(thrown instanceof DatabaseError && thrown.severity === 'ERROR')) {
        if (sent && operation.kind !== 'read') {
          this.versions.delete(operation.orderId);
          this.world.ledger.leaveOpen(operation.orderId, shard, operation.version, operation.before);
        }
        await this.connection.close();
      }
      await this.world.map.reread().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, retryPauseMs));
    }
  }

  private note(operation: Operation): void {
    if (operation.kind === 'read') {
      return;
    }
    if (operation.version === null) {
      this.versions.delete(operation.orderId);
    } else {
      this.versions.set(operation.orderId, operation.version);
    }
    this.world.ledger.acknowledge(operation.orderId, this.options.shard, operation.version);
  }

  private choose(): Operation {
    const { random } = this.world;
    let draw = random.below(mix.insert + mix.update + mix.delete + mix.read);
    const known = [...this.versions.keys()];
    const orderId = known[random.below(known.length)];
    for (const kind of ['insert', 'update', 'delete', 'read'] as const) {
      draw -= mix[kind];
      if (draw < 0) {
        return orderId === undefined ? this.insert() : this.operation(kind, orderId);
      }
    }
    return this.insert();
  }

  private operation(kind: keyof typeof mix, orderId: number): Operation {
    const schema = identifier(shardId(this.options.shard));
    const before = this.versions.get(orderId) ?? null;
    switch (kind) {
      case 'insert':
        return this.insert();
      case 'update': {
        const version = (before ?? 0) + 1;
        const sql = `UPDATE ${schema}.orders SET version = ${version}, total = total + 1, status = 'paid' WHERE id = ${orderId}`;
        return { kind, orderId, version, before, sql };
      }
      case 'delete':
        return { kind, orderId, version: null, before, sql: `DELETE FROM ${schema}.orders WHERE id = ${orderId}` };
      case 'read':
        return { kind, orderId, version: before, before, sql: `SELECT * FROM ${schema}.orders WHERE id = ${orderId}` };
    }
  }

  private insert(): Operation {
    const schema = identifier(shardId(this.options.shard));
    const orderId = this.nextOrder;
    this.nextOrder += 1;
    const customer = this.options.customers[this.world.random.below(this.options.customers.length)] ?? 0;
    const sql = `INSERT INTO ${schema}.orders (id, customer_id, total, version, note) VALUES (${orderId}, ${customer}, 10, 1, 'new');
      INSERT INTO ${schema}.order_lines (order_id, line, sku, quantity, price) VALUES (${orderId}, 1, 'sku-1', 2, 3.5), (${orderId}, 2, 'sku-2', 1, 9)`;
    return { kind: 'insert', orderId, version: 1, before: null, sql };
  }
}
