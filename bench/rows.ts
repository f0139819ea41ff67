import { parseArgs } from 'node:util';
import type { DatabaseAddress } from '../core/ports/database-engine';
import { postgresCapture } from '../engines/postgresql/capture/capture';
import { postgresComparison } from '../engines/postgresql/comparison/comparison';
import { postgresRows } from '../engines/postgresql/rows/rows';
import { peakMemoryBytes } from '../local/processes/peak-memory';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../test/support/postgres';
import { plainCopy } from './plain-copy';

/*
 * How fast rows are restored, and changes captured and applied, against plain COPY of the same rows in the same run.
 *
 * Plain COPY is measured first and last: what else this computer does changes meanwhile, and a ratio needs both.
 *
 *     npx tsx bench/rows.ts [--rows 400000] [--changes 300000] [--cache 256MB] [--json]
 */

const shard = 'shard_0001';
const slot = 's0001e1';
const chunkRows = 50_000;
const chunkBytes = 8_388_608;

const tableSql = `
  CREATE SCHEMA ${shard};
  CREATE TABLE ${shard}.orders (
    id bigint NOT NULL, customer bigint NOT NULL, status text NOT NULL, amount numeric(12,2) NOT NULL, note text,
    placed_at timestamptz NOT NULL, changed_at timestamptz NOT NULL)`;
const keySql = `ALTER TABLE ${shard}.orders ADD PRIMARY KEY (id)`;

/** Deterministic rows of about 110 bytes as text. */
const fillSql = `
  INSERT INTO ${shard}.orders
  SELECT n, n * 7919 % 100003, (ARRAY['new','paid','sent','done'])[n % 4 + 1], (n * 31 % 1000000) / 100.0, md5(n::text),
         '2026-01-01Z'::timestamptz + n * interval '1 second', '2026-01-02Z'::timestamptz + n * interval '1 second'
    FROM generate_series(1, $1::bigint) AS n`;

/** A quarter inserts, 65 % updates, 10 % deletes, of keys all over the table, ten changes a transaction. */
const loadSql = `
  CREATE PROCEDURE ${shard}.load (changes int, last bigint) LANGUAGE plpgsql AS $$
  DECLARE key bigint;
  BEGIN
    FOR number IN 1..changes LOOP
      key := 1 + (number::bigint * 2654435761) % last;
      CASE
        WHEN number % 20 < 5 THEN
          INSERT INTO ${shard}.orders VALUES (last + number, number, 'new', number / 100.0, md5(number::text), now(), now());
        WHEN number % 20 < 18 THEN
          UPDATE ${shard}.orders SET status = 'sent', amount = amount + 1, changed_at = now() WHERE id = key;
        ELSE
          DELETE FROM ${shard}.orders WHERE id = key;
      END CASE;
      IF number % 10 = 0 THEN COMMIT; END IF;
    END LOOP;
  END $$`;

interface Figure {
  readonly name: string;
  readonly perSecond: number;
  readonly unit: 'rows' | 'changes';
  readonly megabytesPerSecond: number | null;
  /** Rate divided by that of plain COPY. */
  readonly ratio: number;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1_000;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '400000' },
      changes: { type: 'string', default: '300000' },
      cache: { type: 'string', default: '256MB' },
      json: { type: 'boolean', default: false },
    },
  });
  const server = await startTestServer({ durable: true, settings: { shared_buffers: values.cache } });
  try {
    const figures = await measure(server, Number(values.rows), Number(values.changes));
    const peakMegabytes = Math.round(peakMemoryBytes() / 1_048_576);
    if (values.json) {
      const { rows, changes, cache } = values;
      console.log(
        JSON.stringify({ rows: Number(rows), changes: Number(changes), cache, peakMegabytes, figures }, null, 2),
      );
    } else {
      figures.forEach((figure) => {
        const rate = `${Math.round(figure.perSecond).toLocaleString('en')} ${figure.unit}/s`;
        const volume = figure.megabytesPerSecond === null ? '' : `${figure.megabytesPerSecond.toFixed(1)} MB/s`;
        console.log(
          `${figure.name.padEnd(44)} ${rate.padStart(20)} ${volume.padStart(12)}   ${figure.ratio.toFixed(2)}`,
        );
      });
      console.log(`peak memory of this process ${peakMegabytes} MB: the same for more rows and changes`);
    }
  } finally {
    await server.stop();
  }
}

async function measure(server: TestServer, rows: number, changes: number): Promise<readonly Figure[]> {
  const source = await freshDatabase(server);
  const target = await freshDatabase(server);
  const writer = await testClient(server, source);
  const reader = await testClient(server, target);
  try {
    await writer.query(`${tableSql}; ${keySql}`);
    await writer.query(fillSql, [rows]);
    await writer.query(loadSql);
    await writer.query('VACUUM ANALYZE');
    await reader.query(tableSql);
    const copied = await plainCopy(writer, reader, `${shard}.orders`);
    await reader.query(`TRUNCATE ${shard}.orders; ${keySql}`);
    const keyed = await plainCopy(writer, reader, `${shard}.orders`);
    await reader.query(`DROP SCHEMA ${shard} CASCADE; ${tableSql}`);
    const capture = postgresCapture(server.source);
    await capture.openSlot(source, { slot, shard, schemas: [shard] });
    const restored = await restore(server, source, target);
    await reader.query(keySql);
    // Only what comes after it is measured: no waiting for the disk at each commit, but at the last one.
    await writer.query(`SET synchronous_commit = off`);
    await writer.query(`CALL ${shard}.load($1, $2)`, [changes, rows]);
    await writer.query(`SET synchronous_commit = on; SELECT pg_current_xact_id()`);
    const { captured, applied } = await pass(server, source, target);
    const compared = await compare(server, source, target);
    await reader.query(`DROP SCHEMA ${shard} CASCADE; ${tableSql}`);
    const again = await plainCopy(writer, reader, `${shard}.orders`);
    const plain = (copied.rows + again.rows) / (copied.seconds + again.seconds);
    const figure = (name: string, count: number, took: number, bytes: number | null, unit: Figure['unit']): Figure => ({
      name,
      perSecond: count / took,
      unit,
      megabytesPerSecond: bytes === null ? null : bytes / took / 1e6,
      ratio: count / took / plain,
    });
    return [
      figure('plain COPY, server to server', copied.rows, copied.seconds, copied.bytes, 'rows'),
      figure('plain COPY, into a table with its key', keyed.rows, keyed.seconds, keyed.bytes, 'rows'),
      figure('restore: plan, read and load chunks', restored.rows, restored.seconds, restored.bytes, 'rows'),
      figure('capture: peek and advance', captured.rows, captured.seconds, captured.bytes, 'changes'),
      figure('apply', applied.rows, applied.seconds, applied.bytes, 'changes'),
      figure('checksum', compared.rows, compared.seconds, null, 'rows'),
      figure('plain COPY, once more at the end', again.rows, again.seconds, again.bytes, 'rows'),
    ];
  } finally {
    await writer.end();
    await reader.end();
  }
}

interface Measured {
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
}

async function restore(server: TestServer, source: DatabaseAddress, target: DatabaseAddress): Promise<Measured> {
  const engine = postgresRows(server.source);
  let rows = 0;
  let bytes = 0;
  const took = await seconds(async () => {
    const planned = await engine.planRanges(source, {
      schemas: [shard],
      rowsPerChunk: chunkRows,
      bytesPerChunk: chunkBytes,
    });
    for (const [number, { range, columns }] of planned.entries()) {
      const { body } = await engine.readRange(source, { range, columns, maxBytes: chunkBytes });
      rows += await engine.loadRows(target, { loadId: `${number}`, shard, range, columns, body });
      bytes += body.length;
    }
  });
  return { rows, bytes, seconds: took };
}

/** Captures a piece, applies it, and so on, as a pass does; the two are timed apart. Keeps one piece in memory. */
async function pass(
  server: TestServer,
  source: DatabaseAddress,
  target: DatabaseAddress,
): Promise<{ readonly captured: Measured; readonly applied: Measured }> {
  const capture = postgresCapture(server.source);
  const rows = postgresRows(server.source);
  const total = { changes: 0, bytes: 0, captureSeconds: 0, applySeconds: 0 };
  for (;;) {
    const begun = performance.now();
    const changes = await capture.peek(source, { slot, shard, maxBytes: chunkBytes });
    if (changes === null) {
      break;
    }
    const { body, to } = changes;
    await capture.advance(source, { slot, to });
    total.captureSeconds += (performance.now() - begun) / 1_000;
    total.applySeconds += await seconds(() => rows.applyChanges(target, { shard, lineage: slot, body, to }));
    total.changes += changes.rows;
    total.bytes += body.length;
  }
  const { changes, bytes, captureSeconds, applySeconds } = total;
  return {
    captured: { rows: changes, bytes, seconds: captureSeconds },
    applied: { rows: changes, bytes, seconds: applySeconds },
  };
}

/** @throws Error when source and target differ: then the other figures mean nothing */
async function compare(
  server: TestServer,
  source: DatabaseAddress,
  target: DatabaseAddress,
): Promise<{ readonly rows: number; readonly seconds: number }> {
  const engine = postgresComparison(server.source);
  const range = { schema: shard, table: 'orders', keyColumns: ['id'], lowKey: null, highKey: null };
  const begun = performance.now();
  const wanted = await engine.checksum(source, range);
  const took = (performance.now() - begun) / 1_000;
  const found = await engine.checksum(target, range);
  if (JSON.stringify(wanted) !== JSON.stringify(found)) {
    throw new Error(`the target differs from the source: ${JSON.stringify({ wanted, found })}`);
  }
  return { rows: wanted.rows, seconds: took };
}

void main();
