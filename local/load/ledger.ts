/** What the clients know of one order: its last acknowledged state, and what may have happened since. */
export interface OrderRecord {
  readonly shard: number;
  /** The version that was acknowledged; null: acknowledged as deleted. */
  acknowledged: number | null;
  /** The outcome of a write that was sent but never answered; undefined: there is none. */
  unanswered: number | null | undefined;
}

/** How what a database holds differs from what its clients were told. */
export interface LedgerVerdict {
  /** Orders whose acknowledged state is not there. */
  readonly missing: readonly string[];
  /** Orders that were acknowledged as deleted and are there. */
  readonly undead: readonly string[];
  readonly checked: number;
}

/** Notes every acknowledged write outside the database, so that the database can be asked for each of them afterwards. */
export class Ledger {
  private readonly orders = new Map<number, OrderRecord>();

  /** An order that was there before the load began. */
  adopt(orderId: number, shard: number, version: number): void {
    this.orders.set(orderId, { shard, acknowledged: version, unanswered: undefined });
  }

  /** A write was answered with success. */
  acknowledge(orderId: number, shard: number, version: number | null): void {
    this.orders.set(orderId, { shard, acknowledged: version, unanswered: undefined });
  }

  /** A write was sent, and nobody said what became of it. A new order that was not answered has no acknowledged state. */
  leaveOpen(orderId: number, shard: number, version: number | null, before: number | null): void {
    this.orders.set(orderId, { shard, acknowledged: before, unanswered: version });
  }

  ofShard(shard: number): ReadonlyMap<number, OrderRecord> {
    return new Map([...this.orders].filter(([, record]) => record.shard === shard));
  }

  entries(): readonly (readonly [number, OrderRecord])[] {
    return [...this.orders];
  }
}

/** Compares the orders that a database holds, as id → version, with what its clients were told about one shard. */
export function compareWithLedger(
  orders: ReadonlyMap<number, OrderRecord>,
  found: ReadonlyMap<number, number>,
): LedgerVerdict {
  const missing: string[] = [];
  const undead: string[] = [];
  for (const [orderId, record] of orders) {
    const version = found.get(orderId) ?? null;
    if (version === record.acknowledged || (record.unanswered !== undefined && version === record.unanswered)) {
      continue;
    }
    if (record.acknowledged === null) {
      undead.push(`order ${orderId}: deleted, found version ${version ?? 'none'}`);
    } else {
      missing.push(`order ${orderId}: version ${record.acknowledged} acknowledged, found ${version ?? 'nothing'}`);
    }
  }
  return { missing, undead, checked: orders.size };
}
