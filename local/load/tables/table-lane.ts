import { DatabaseError } from 'pg';
import { shardId } from '../../../core/cluster/names';
import { messageOf } from '../../../core/errors';
import { literal } from '../../../engines/postgresql/identifier';
import type { Answer } from '../figures';
import type { Ledger } from '../ledger';
import { PacedLoop } from '../paced-loop';
import type { RandomSequence } from '../random-sequence';
import { ShardConnection, type OpenConnection } from '../shard-connection';
import type { ShardMap } from '../shard-map';
import { isRefusal, whyNotCommit, type Refusals, type TableTouches, type WriteKind } from './judge-write';
import type { LoadedTable } from './read-tables';
import { copyRow, deleteRow, readState, restoreRow, rowTextSettings, updateRow, type KeyTexts } from './row-sql';

export interface TableLaneOptions {
  readonly shard: number;
  readonly schemas: readonly string[];
  /** The rows that only this lane writes, so that it always knows their state. */
  readonly tables: readonly LoadedTable[];
  /** Makes this lane's new values different from every other lane's. */
  readonly number: number;
  readonly pauseMs: number;
  readonly database: string;
  readonly localAddress: string;
  readonly user: string;
  readonly password: string;
}

export interface TableLaneWorld {
  readonly map: ShardMap;
  readonly ledger: Ledger;
  readonly random: RandomSequence;
  readonly refusals: Refusals;
  readonly resolve: (hostName: string) => Promise<string>;
  readonly answered: (answer: Answer) => void;
  readonly failed: (shard: number, reason: string) => void;
}

/** A row that this lane writes. `body`: it is deleted, and this is what it was. */
interface OwnRow {
  readonly table: LoadedTable;
  readonly key: KeyTexts;
  state: string | null;
  body: string | null;
}

interface Write {
  readonly kind: WriteKind;
  readonly sql: string;
  readonly table: LoadedTable;
  /** What it is called where it is refused. */
  readonly name: string;
  /** Null: the key that the server makes. */
  readonly row: OwnRow | null;
}

const retryPauseMs = 25;
/** Shares in 100 requests: as in the shop; some deleted rows are put back. */
const mix = { update: 46, delete: 9, restore: 2, insert: 13, read: 30 } as const;
/** Each lane's new numbers, above the largest that was there. */
const numbersPerLane = 1_000_000n;

/** The ledger's name of a row of some table. */
export function rowName(schema: string, table: string, key: KeyTexts): string {
  return JSON.stringify([schema, table, ...key]);
}

/** One client of one shard whose tables nobody has told us about: it changes rows, deletes them, puts them back and adds new ones. */
export class TableLane {
  private readonly connection: ShardConnection;
  private readonly loop: PacedLoop;
  private readonly rows: OwnRow[];
  private made = 0n;

  constructor(
    private readonly options: TableLaneOptions,
    private readonly world: TableLaneWorld,
  ) {
    const order = { ...options, shard: shardId(options.shard), options: rowTextSettings };
    this.connection = new ShardConnection(order, world);
    this.loop = new PacedLoop(options.pauseMs, () => this.request());
    this.rows = options.tables.flatMap((table) =>
      table.rows.map(({ key, state }) => ({ table, key, state, body: null })),
    );
    for (const row of this.rows) {
      world.ledger.adopt(nameOf(row.table, row.key), options.shard, row.state ?? '');
    }
  }

  async run(): Promise<void> {
    await this.loop.run();
    await this.connection.close();
  }

  stop(): void {
    this.loop.stop();
  }

  private async request(): Promise<void> {
    const write = this.choose();
    const begunAtMs = Date.now();
    const attempt = { committing: false, after: null as Committed | null };
    try {
      const opened = await this.connection.open();
      if (write === null) {
        await this.read(opened);
      } else {
        const reason = await this.write(opened, write, attempt);
        if (reason !== null) {
          this.world.refusals.note(write.name, reason);
          return;
        }
        this.note(write, attempt.after);
        this.world.refusals.succeeded(write.name);
      }
      const atMs = Date.now();
      this.world.answered({ atMs, shard: this.options.shard, tookMs: atMs - begunAtMs, write: write !== null });
    } catch (thrown) {
      await this.fail(write, attempt, thrown);
    }
  }

  private async fail(write: Write | null, attempt: Attempt, thrown: unknown): Promise<void> {
    if (write !== null && thrown instanceof DatabaseError && isRefusal(thrown.code)) {
      this.world.refusals.note(write.name, refusalText(thrown));
      await this.connection.rollBack();
      return;
    }
    this.world.failed(this.options.shard, messageOf(thrown));
    if (thrown instanceof DatabaseError && thrown.severity === 'ERROR') {
      // It undid the transaction and left the connection.
      await this.connection.rollBack();
    } else {
      // Silence after COMMIT leaves both in doubt.
      if (write !== null && attempt.committing) {
        this.leaveOpen(write, attempt.after);
      }
      await this.connection.close();
    }
    await this.world.map.reread().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, retryPauseMs));
  }

  /** @returns why it was rolled back; null: it was committed and acknowledged */
  private async write(opened: OpenConnection, write: Write, attempt: Attempt): Promise<string | null> {
    const { client, route } = opened;
    const touched = touchesSql(this.options.schemas);
    await client.query(`BEGIN; SELECT set_config('rejoin.epoch', '${route.epoch}', true)`);
    const before = (await client.query<TableTouches>(touched)).rows;
    const { rows } = await client.query<{ key: KeyTexts; body?: string }>(write.sql);
    // What is deferred happens now, where it can still be seen.
    await client.query('SET CONSTRAINTS ALL IMMEDIATE');
    const after = (await client.query<TableTouches>(touched)).rows;
    const { shape } = write.table.plan;
    const reason = whyNotCommit(
      { kind: write.kind, table: `${shape.schema}.${shape.table}`, rows: rows.length },
      before,
      after,
    );
    const [row] = rows;
    if (reason !== null || row === undefined) {
      await client.query('ROLLBACK');
      return reason ?? 'it writes no row';
    }
    const state =
      write.kind === 'delete'
        ? null
        : ((await client.query<{ state: string }>(readState(shape, row.key))).rows[0]?.state ?? null);
    attempt.after = { key: row.key, state, body: row.body ?? null };
    attempt.committing = true;
    await client.query('COMMIT');
    if (opened.warned) {
      throw new Error('the server gave up waiting for its follower: the commit is not acknowledged');
    }
    return null;
  }

  private async read(opened: OpenConnection): Promise<void> {
    const row = this.rows[this.world.random.below(this.rows.length)];
    await opened.client.query(row === undefined ? 'SELECT 1' : readState(row.table.plan.shape, row.key));
  }

  private note(write: Write, after: Committed | null): void {
    if (after === null) {
      return;
    }
    const { key, state, body } = after;
    this.world.ledger.acknowledge(nameOf(write.table, key), this.options.shard, state);
    if (write.row === null) {
      this.rows.push({ table: write.table, key, state, body });
    } else {
      write.row.state = state;
      write.row.body = body;
    }
  }

  private leaveOpen(write: Write, after: Committed | null): void {
    const { row } = write;
    if (row !== null) {
      // Nobody knows its state any more, so nobody writes it any more.
      this.rows.splice(this.rows.indexOf(row), 1);
    }
    if (after !== null) {
      const name = nameOf(write.table, after.key);
      this.world.ledger.leaveOpen(name, this.options.shard, after.state, row?.state ?? null);
    }
  }

  /** Null: a read. */
  private choose(): Write | null {
    const { random } = this.world;
    let draw = random.below(100);
    const row = this.rows[random.below(this.rows.length)];
    if (row === undefined) {
      return null;
    }
    for (const kind of ['update', 'delete', 'restore', 'insert', 'read'] as const) {
      draw -= mix[kind];
      if (draw < 0) {
        const write = this.writeOf(kind, row);
        return write === null || this.world.refusals.givenUp(write.name) ? null : write;
      }
    }
    return null;
  }

  private writeOf(kind: keyof typeof mix, row: OwnRow): Write | null {
    const { random } = this.world;
    const { table } = row;
    const { shape, updates } = table.plan;
    const name = `${shape.schema}.${shape.table}`;
    if (kind === 'restore') {
      const gone = this.rows.find(({ body }) => body !== null);
      return gone?.body == null ? null : restored(gone, gone.body);
    }
    if (row.body !== null) {
      return null;
    }
    switch (kind) {
      case 'update': {
        const update = updates[random.below(updates.length)];
        if (update === undefined) {
          return null;
        }
        // Now and then a value is only rewritten, as applications do.
        const usual = { name: `${name} update of ${update.column}`, change: update.change };
        const rewritten = { name: `${name} rewrite of ${update.column}`, change: 'self' } as const;
        const chosen = random.below(4) === 0 || this.world.refusals.givenUp(usual.name) ? rewritten : usual;
        const change = { column: update.column, change: chosen.change, up: random.below(2) === 0 };
        return { kind, sql: updateRow(shape, row.key, change), table, name: chosen.name, row };
      }
      case 'delete':
        return { kind, sql: deleteRow(shape, row.key), table, name: `${name} delete`, row };
      case 'insert': {
        if (table.plan.fillers === null) {
          return null;
        }
        this.made += 1n;
        const offset = BigInt(this.options.number) * numbersPerLane + this.made;
        const fresh = {
          number: (column: string) => (table.largest.get(column) ?? 0n) + offset,
          text: `new-${this.options.number}-${this.made}`,
        };
        return { kind, sql: copyRow(table.plan, row.key, fresh), table, name: `${name} insert`, row: null };
      }
      case 'read':
        return null;
    }
  }
}

interface Committed {
  readonly key: KeyTexts;
  readonly state: string | null;
  readonly body: string | null;
}

interface Attempt {
  /** COMMIT was sent: from here on silence may mean that it happened. */
  committing: boolean;
  after: Committed | null;
}

function restored(row: OwnRow, body: string): Write {
  const { shape } = row.table.plan;
  const name = `${shape.schema}.${shape.table} return of a deleted row`;
  return { kind: 'insert', sql: restoreRow(shape, body), table: row.table, name, row };
}

function nameOf(table: LoadedTable, key: KeyTexts): string {
  return rowName(table.plan.shape.schema, table.plan.shape.table, key);
}

function refusalText(error: DatabaseError): string {
  return error.constraint === undefined ? error.message : `constraint ${error.constraint} refuses it`;
}

function touchesSql(schemas: readonly string[]): string {
  return `SELECT n.nspname || '.' || c.relname AS table, pg_stat_get_xact_tuples_inserted(c.oid)::float8 AS inserted,
      pg_stat_get_xact_tuples_updated(c.oid)::float8 AS updated, pg_stat_get_xact_tuples_deleted(c.oid)::float8 AS deleted
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname IN (${schemas.map(literal).join(', ')})
     AND pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid) > 0`;
}
