import type { Client } from 'pg';
import type {
  CapturedChanges,
  DatabaseAddress,
  DatabaseCapture,
  DatabaseComparison,
  DatabaseRows,
} from '../../../core/ports/database-engine';
import { postgresCapture } from '../../../engines/postgresql/capture/capture';
import { postgresComparison } from '../../../engines/postgresql/comparison/comparison';
import { postgresRows } from '../../../engines/postgresql/rows/rows';
import { freshDatabase, testClient, type TestServer } from '../../support/postgres';
import { oddSchemas, oddShard, oddTables } from './odd-tables';

/** Commits reach the log on disk, from which a slot is read, before they are answered. */
export const flushing = { settings: { synchronous_commit: 'local' } };

/** A source and a target database of one shard, and what Rejoin does between them. */
export class TwoNodes {
  private slots = 0;
  /** The slot from which the target follows the source, once opened. */
  slot = '';

  readonly capture: DatabaseCapture;
  readonly rows: DatabaseRows;
  readonly comparison: DatabaseComparison;

  private constructor(
    server: TestServer,
    readonly source: DatabaseAddress,
    readonly target: DatabaseAddress,
    readonly onSource: Client,
    readonly onTarget: Client,
  ) {
    this.capture = postgresCapture(server.source);
    this.rows = postgresRows(server.source);
    this.comparison = postgresComparison(server.source);
  }

  /** Creates both databases with the same tables. */
  static async make(server: TestServer, tables = oddTables): Promise<TwoNodes> {
    const source = await freshDatabase(server);
    const target = await freshDatabase(server);
    const [onSource, onTarget] = [await testClient(server, source), await testClient(server, target)];
    await onSource.query(tables);
    await onTarget.query(tables);
    return new TwoNodes(server, source, target, onSource, onTarget);
  }

  async openSlot(schemas: readonly string[] = oddSchemas): Promise<string> {
    this.slots += 1;
    this.slot = `${this.source.database}_${this.slots}`;
    return this.capture.openSlot(this.source, { slot: this.slot, shard: oddShard, schemas });
  }

  peek(maxBytes = 1_000_000): Promise<CapturedChanges | null> {
    return this.capture.peek(this.source, { slot: this.slot, shard: oddShard, maxBytes });
  }

  apply(
    changes: Pick<CapturedChanges, 'body' | 'to'>,
  ): Promise<{ readonly rows: number; readonly passedOver: number }> {
    const { body, to } = changes;
    return this.rows.applyChanges(this.target, { shard: oddShard, lineage: this.slot, body, to });
  }

  /** Captures and applies until there is nothing left. @returns row changes applied */
  async catchUp(maxBytes = 1_000_000): Promise<number> {
    let rows = 0;
    for (let changes = await this.peek(maxBytes); changes !== null; changes = await this.peek(maxBytes)) {
      rows += (await this.apply(changes)).rows;
      await this.capture.advance(this.source, { slot: this.slot, to: changes.to });
    }
    return rows;
  }

  /** Copies all rows in ranges. @returns rows copied */
  async copyRows(
    limits = { rowsPerChunk: 100, bytesPerChunk: 100_000 },
    schemas: readonly string[] = oddSchemas,
  ): Promise<number> {
    let rows = 0;
    const planned = await this.rows.planRanges(this.source, { schemas, ...limits });
    for (const [number, { range, columns }] of planned.entries()) {
      const { body } = await this.rows.readRange(this.source, { range, columns, maxBytes: 10_000_000 });
      rows += await this.rows.loadRows(this.target, { loadId: `${number}`, shard: oddShard, range, columns, body });
    }
    return rows;
  }

  /** What a query answers on source and target. */
  async both(sql: string): Promise<readonly [unknown[], unknown[]]> {
    return [(await this.onSource.query(sql)).rows, (await this.onTarget.query(sql)).rows];
  }

  async end(): Promise<void> {
    if (this.slot !== '') {
      await this.capture.dropSlot(this.source, this.slot);
    }
    await this.onSource.end();
    await this.onTarget.end();
  }
}
