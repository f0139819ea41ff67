import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { lz4 } from '../adapters/codec';
import { sha256Of } from '../core/backup/stored-object';
import type { DatabaseAddress } from '../core/ports/database-engine';
import type { Credentials } from '../core/ports/surroundings';
import type { WorkItem } from '../core/restore/work-order';
import { postgresRows } from '../engines/postgresql/rows/rows';
import { LocalObjects } from '../local/objects/local-objects';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../test/support/postgres';

/*
 * Peak memory of the step that loads rows, for so many rows and for ten times as many: the step is called for one chunk
 * after the other in one process, as in a warm function.
 *
 *     npx tsx bench/restore-memory.ts [--rows 150000] [--json]
 */

/** What the process that loads is told. */
export interface LoadingOrder {
  readonly target: DatabaseAddress;
  readonly credentials: Credentials;
  readonly objects: string;
  readonly bucket: string;
  readonly items: readonly WorkItem[];
}

export interface LoadingReport {
  readonly peakMegabytes: number;
}

const shard = 'shard_0001';
const rowsPerChunk = 50_000;
const bytesPerChunk = 8_388_608;
const tableSql = `
  CREATE SCHEMA ${shard};
  CREATE TABLE ${shard}.orders (id bigint PRIMARY KEY, customer bigint NOT NULL, amount numeric(12,2) NOT NULL, note text)`;
const fillSql = `
  INSERT INTO ${shard}.orders
  SELECT n, n * 7919 % 100003, (n * 31 % 1000000) / 100.0, md5(n::text) || md5((n + 1)::text)
    FROM generate_series(1, $1::bigint) AS n`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rows: { type: 'string', default: '150000' }, json: { type: 'boolean', default: false } },
  });
  const server = await startTestServer();
  try {
    const few = await measure(server, Number(values.rows));
    const many = await measure(server, Number(values.rows) * 10);
    const ratio = many.peakMegabytes / few.peakMegabytes;
    if (values.json) {
      console.log(JSON.stringify({ few, many, ratio }));
    } else {
      for (const { rows, chunks, peakMegabytes } of [few, many]) {
        console.log(`${rows.toLocaleString('en').padStart(12)} rows in ${chunks} chunks: peak ${peakMegabytes} MB`);
      }
      console.log(`ratio ${ratio.toFixed(2)}`);
    }
  } finally {
    await server.stop();
  }
}

interface Figure {
  readonly rows: number;
  readonly chunks: number;
  readonly peakMegabytes: number;
}

async function measure(server: TestServer, rows: number): Promise<Figure> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-bench-'));
  try {
    const objects = new LocalObjects(folder, 'backups');
    const items = await backUp(server, objects, rows);
    const target = await freshDatabase(server);
    const writer = await testClient(server, target);
    await writer.query(tableSql).finally(() => writer.end());
    const { credentials } = server;
    const { peakMegabytes } = await load({ target, credentials, objects: folder, bucket: objects.bucket, items });
    return { rows, chunks: items.length, peakMegabytes };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Makes the rows and stores them as a backup does. */
async function backUp(server: TestServer, objects: LocalObjects, rows: number): Promise<readonly WorkItem[]> {
  const source = await freshDatabase(server);
  const writer = await testClient(server, source);
  await writer.query(tableSql);
  await writer.query(fillSql, [rows]);
  await writer.query('VACUUM ANALYZE');
  await writer.end();
  const engine = postgresRows(server.source);
  const planned = await engine.planRanges(source, { schemas: [shard], rowsPerChunk, bytesPerChunk });
  const items: WorkItem[] = [];
  for (const [number, { range, columns }] of planned.entries()) {
    const read = await engine.readRange(source, { range, columns, maxBytes: bytesPerChunk * 2 });
    const stored = await lz4.compress(read.body);
    const key = `orders/b1/chunks/${shard}/${shard}.orders/${number}.copy.lz4`;
    await objects.write(key, stored);
    const chunk = {
      shard,
      range,
      key,
      columns: [...columns],
      rows: read.rows,
      rawBytes: read.body.length,
      storedBytes: stored.length,
      sha256: sha256Of(stored),
    };
    items.push({ number, loadId: key, shard, range, columns: [...columns], chunk, damage: null, rowsPerSecond: null });
  }
  return items;
}

async function load(order: LoadingOrder): Promise<LoadingReport> {
  const child = fork(join(__dirname, 'loading-process.ts'), [], {
    execArgv: ['--import', 'tsx'],
    // Its clients of AWS are made and not used.
    env: {
      ...process.env,
      AWS_REGION: 'eu-central-1',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      REJOIN_TABLE: 'none',
      REJOIN_BACKUPS_BUCKET: 'none',
      REJOIN_SETTINGS_PREFIX: '/none',
    },
  });
  const ended = once(child, 'exit');
  const reported = once(child, 'message') as Promise<[LoadingReport]>;
  child.send(order);
  const report = await Promise.race([reported.then(([message]) => message), ended.then(() => null)]);
  await ended;
  if (report === null) {
    throw new Error('the process that loads ended without a report; its message is above');
  }
  return report;
}

void main();
