import { tableFacts } from '../../../../engines/postgresql/table-facts';
import { planTable } from '../../../../engines/postgresql/rows/plan-ranges';
import type { RowRange } from '../../../../core/cluster/manifest';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';
import { oddRows, oddSchemas, oddShard, oddTableKeys, oddTables } from '../odd-tables';
import { TwoNodes } from '../two-nodes';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const whole = { rowsPerChunk: 1_000_000, bytesPerChunk: 1_000_000_000 };

async function withNodes(work: (nodes: TwoNodes) => Promise<void>, tables = oddTables): Promise<void> {
  const nodes = await TwoNodes.make(server, tables);
  try {
    await work(nodes);
  } finally {
    await nodes.end();
  }
}

/** Checks that ranges of a table follow each other without a gap, from its begin to its end. */
function expectToCover(ranges: readonly RowRange[]): void {
  expect(ranges[0]?.lowKey).toBeNull();
  expect(ranges.at(-1)?.highKey).toBeNull();
  expect(ranges.slice(1).map(({ lowKey }) => lowKey)).toEqual(ranges.slice(0, -1).map(({ highKey }) => highKey));
}

test('every row of every table is copied once, whatever its types, keys and names', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    const planned = await nodes.rows.planRanges(nodes.source, {
      schemas: oddSchemas,
      rowsPerChunk: 40,
      bytesPerChunk: 50_000,
    });
    for (const { schema, table, keyColumns } of oddTableKeys) {
      const ranges = planned
        .map(({ range }) => range)
        .filter((range) => range.schema === schema && range.table === table);
      expectToCover(ranges);
      expect(ranges[0]?.keyColumns).toEqual(keyColumns);
    }
    expect(new Set(planned.map(({ range }) => range.table)).size).toBe(oddTableKeys.length);
    await nodes.copyRows({ rowsPerChunk: 40, bytesPerChunk: 50_000 });
    for (const { schema, table } of oddTableKeys) {
      const name = `"${schema.replaceAll('"', '""')}"."${table.replaceAll('"', '""')}"`;
      const [source, target] = await nodes.both(`SELECT t::text FROM ONLY ${name} AS t ORDER BY t::text COLLATE "C"`);
      expect([table, target.length]).toEqual([table, source.length]);
      expect(target).toEqual(source);
    }
  });
});

test('ranges are about as many rows as asked for', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.plain SELECT n, 'x' FROM generate_series(1, 10000) AS n`);
    const planned = await nodes.rows.planRanges(nodes.source, {
      schemas: ['shard_0007'],
      rowsPerChunk: 1_000,
      bytesPerChunk: 1e9,
    });
    const ranges = planned.filter(({ range }) => range.table === 'plain');
    const counts = await Promise.all(
      ranges.map(
        async ({ range, columns }) =>
          (await nodes.rows.readRange(nodes.source, { range, columns, maxBytes: 1e6 })).rows,
      ),
    );
    expect(counts).toHaveLength(10);
    expect(counts.every((count) => count >= 950 && count <= 1_050)).toBe(true);
  });
});

test('ranges hold no more bytes than asked for, though sizes differ a thousandfold and lie beside the rows', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`
      INSERT INTO shard_0007.essays
      SELECT n, 'small', CASE WHEN n % 100 = 7 THEN (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 2000) i)
                              WHEN n % 100 = 8 THEN repeat('compresses well ', 5000) ELSE 'x' END
        FROM generate_series(1, 3000) AS n`);
    const order = { schemas: ['shard_0007'], rowsPerChunk: 1_000, bytesPerChunk: 400_000 };
    const planned = await nodes.rows.planRanges(nodes.source, order);
    const ranges = planned.filter(({ range }) => range.table === 'essays');
    const sizes: number[] = [];
    for (const { range, columns } of ranges) {
      sizes.push((await nodes.rows.readRange(nodes.source, { range, columns, maxBytes: 400_000 })).body.length);
    }
    // 30 rows of 64,000 bytes and as many of 80,000: at least 11 ranges, and not many times more.
    expect(sizes.length).toBeGreaterThanOrEqual(11);
    expect(sizes.length).toBeLessThanOrEqual(22);
  });
});

test('a range with more bytes than allowed is an error that names it, and ends the session', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    const [planned] = (await nodes.rows.planRanges(nodes.source, { schemas: oddSchemas, ...whole })).filter(
      ({ range }) => range.table === 'essays',
    );
    if (planned === undefined) {
      throw new Error('no range of essays');
    }
    const order = { range: planned.range, columns: planned.columns };
    const { body } = await nodes.rows.readRange(nodes.source, { ...order, maxBytes: 1_000_000 });
    await expect(nodes.rows.readRange(nodes.source, { ...order, maxBytes: body.length - 1 })).rejects.toMatchObject({
      name: 'SqlFailed',
      message: `rows of table 'shard_0007.essays' from the end to the end exceed ${body.length - 1} bytes; plan the ranges again, or raise bytesPerChunk`,
    });
    expect((await nodes.rows.readRange(nodes.source, { ...order, maxBytes: body.length })).body).toEqual(body);
  });
});

test('an empty table has one range without bounds', async () => {
  await withNodes(async (nodes) => {
    const planned = await nodes.rows.planRanges(nodes.source, { schemas: oddSchemas, ...whole });
    expect(planned).toHaveLength(oddTableKeys.length);
    expect(planned[0]).toEqual({
      range: { ...oddTableKeys[0], keyOrders: ['C'], lowKey: null, highKey: null },
      columns: ['key, with " quotes', 'n'.repeat(63), 'back\\slash'],
    });
    const types = planned.find(({ range }) => range.table === 'types');
    expect(types?.columns).not.toContain('doubled');
  });
});

test('texts are cut in the order of their own collation, and found by the index', async () => {
  const tables = `
    CREATE SCHEMA shard_0007;
    CREATE TABLE shard_0007.names (name text COLLATE "und-x-icu", kind int2, PRIMARY KEY (name, kind));
    INSERT INTO shard_0007.names
    SELECT (ARRAY['a', 'B', 'ä', 'Z', 'ö', 'o', '-a', 'A', 'é', '中'])[n % 10 + 1] || n / 10, n % 3 FROM generate_series(1, 3000) n`;
  await withNodes(async (nodes) => {
    await nodes.onTarget.query('TRUNCATE shard_0007.names');
    const planned = await nodes.rows.planRanges(nodes.source, {
      schemas: ['shard_0007'],
      rowsPerChunk: 100,
      bytesPerChunk: 1e6,
    });
    expectToCover(planned.map(({ range }) => range));
    expect(planned.length).toBeGreaterThan(25);
    let rows = 0;
    for (const { range, columns } of planned) {
      rows += (await nodes.rows.readRange(nodes.source, { range, columns, maxBytes: 1e6 })).rows;
    }
    expect(rows).toBe(3_000);
    // Each session adds its counts when it ends; planning alone may look at the whole table.
    const scans = `SELECT seq_scan::int AS whole, idx_scan::int AS by_index FROM pg_stat_user_tables WHERE relname = 'names'`;
    let counts = { whole: 0, by_index: 0 };
    while (counts.whole + counts.by_index <= planned.length) {
      counts = (await nodes.onSource.query<typeof counts>(scans)).rows[0] ?? counts;
    }
    expect(counts.whole).toBeLessThanOrEqual(1);
  }, tables);
});

test('keys whose operators lie in different schemas are compared column by column', async () => {
  const tables = `
    CREATE SCHEMA shard_0007; CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions;
    CREATE TABLE shard_0007.mixed (kind int, name extensions.citext, number numeric, PRIMARY KEY (kind, name, number));
    INSERT INTO shard_0007.mixed SELECT n % 3, CASE WHEN n % 2 = 0 THEN 'Name ' ELSE 'name ' END || n / 30, n / 7.0 FROM generate_series(1, 900) n`;
  await withNodes(async (nodes) => {
    await nodes.onTarget.query('TRUNCATE shard_0007.mixed');
    expect(await nodes.copyRows({ rowsPerChunk: 50, bytesPerChunk: 1e6 }, ['shard_0007'])).toBe(900);
    const [source, target] = await nodes.both('SELECT count(*), count(DISTINCT m) FROM shard_0007.mixed m');
    expect(target).toEqual(source);
  }, tables);
});

test('a large table is cut by a sample of its pages, without statistics too', async () => {
  const address = await freshDatabase(server);
  const client = await testClient(server, address);
  try {
    await client.query(`
      CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.large (id int PRIMARY KEY, v text);
      INSERT INTO shard_0007.large SELECT n, md5(n::text) FROM generate_series(1, 200000) AS n`);
    const facts = await tableFacts(client, 'shard_0007', 'large');
    const limits = { rowsPerChunk: 20_000, bytesPerChunk: 1e8 };
    // 10 ranges of 167 pages: 48 of each are looked at.
    const ranges = (await planTable(client, facts, limits, 100)).map(({ range }) => range);
    expectToCover(ranges);
    const keys = ranges.map(({ lowKey }) => Number(lowKey?.[0] ?? 0));
    const counts = keys.map((key, place) => (keys[place + 1] ?? 200_001) - key);
    expect(Math.max(...counts)).toBeLessThan(40_000);
    expect(keys.length).toBeGreaterThanOrEqual(8);
    expect(keys.length).toBeLessThanOrEqual(14);
  } finally {
    await client.end();
  }
});

test('a table without a primary key, or with a deferrable one, is refused by name', async () => {
  for (const column of ['id int', 'id int PRIMARY KEY DEFERRABLE']) {
    const address = await freshDatabase(server);
    const client = await testClient(server, address);
    await client.query(`CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.loose (${column})`);
    await client.end();
    const nodes = await TwoNodes.make(server);
    await expect(nodes.rows.planRanges(address, { schemas: ['shard_0007'], ...whole })).rejects.toMatchObject({
      name: 'PreflightRefused',
      message: expect.stringContaining("'shard_0007.loose'") as string,
    });
    await nodes.end();
  }
});

test('rows are loaded once a load, also when two try at the same time', async () => {
  await withNodes(async (nodes) => {
    const range = { schema: 'shard_0007', table: 'plain', keyColumns: ['id'], lowKey: null, highKey: null };
    const order = {
      loadId: 'load-1',
      shard: oddShard,
      range,
      columns: ['id', 'v'],
      body: Buffer.from('1\tone\n2\t\\N\n'),
    };
    const added = await Promise.all([1, 2, 3].map(() => nodes.rows.loadRows(nodes.target, order)));
    expect(added.toSorted()).toEqual([0, 0, 2]);
    expect((await nodes.onTarget.query('SELECT * FROM rejoin.loaded')).rows).toEqual([
      { load_id: 'load-1', shard: oddShard, row_count: '2' },
    ]);
  });
});

test('a load that fails leaves nothing, and can be repeated', async () => {
  await withNodes(async (nodes) => {
    const range = { schema: 'shard_0007', table: 'plain', keyColumns: ['id'], lowKey: null, highKey: null };
    const order = { loadId: 'load-1', shard: oddShard, range, columns: ['id', 'v'] };
    const bad = { ...order, body: Buffer.from('1\tone\nx\ttwo\n') };
    await expect(nodes.rows.loadRows(nodes.target, bad)).rejects.toMatchObject({ name: 'SqlFailed' });
    expect(await nodes.rows.loadRows(nodes.target, { ...order, body: Buffer.from('1\tone\n') })).toBe(1);
  });
});

test('triggers and foreign keys do not fire for loaded rows', async () => {
  const tables = `
    CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.parents (id int PRIMARY KEY);
    CREATE TABLE shard_0007.children (id int PRIMARY KEY, parent int REFERENCES shard_0007.parents);
    CREATE FUNCTION shard_0007.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''fired''; END';
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON shard_0007.children FOR EACH ROW EXECUTE FUNCTION shard_0007.refuse()`;
  await withNodes(async (nodes) => {
    const range = { schema: 'shard_0007', table: 'children', keyColumns: ['id'], lowKey: null, highKey: null };
    const order = { loadId: 'a', shard: oddShard, range, columns: ['id', 'parent'], body: Buffer.from('1\t77\n') };
    expect(await nodes.rows.loadRows(nodes.target, order)).toBe(1);
  }, tables);
});

test('a range is of no use where its key is sorted otherwise', async () => {
  const table = `CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.words (word text PRIMARY KEY)`;
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.words VALUES ('a'), ('B')`);
    const [planned] = await nodes.rows.planRanges(nodes.source, { schemas: ['shard_0007'], ...whole });
    const range = planned?.range;
    if (range === undefined) {
      throw new Error('no range was planned');
    }
    const order = { range, columns: ['word'], maxBytes: 1e6 };
    await expect(nodes.rows.readRange(nodes.target, order)).resolves.toMatchObject({ rows: 0 });
    await nodes.onTarget.query(`ALTER TABLE shard_0007.words ALTER COLUMN word TYPE text COLLATE "und-x-icu"`);
    await expect(nodes.rows.readRange(nodes.target, order)).rejects.toMatchObject({
      name: 'SqlFailed',
      message: expect.stringMatching(/sorted by 'und-x-icu [\d.]+' here and by '/) as string,
    });
  }, table);
});

test('rows are checked without being kept', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    const planned = await nodes.rows.planRanges(nodes.source, { schemas: oddSchemas, ...whole });
    for (const { range, columns } of planned) {
      const { body, rows } = await nodes.rows.readRange(nodes.source, { range, columns, maxBytes: 1e7 });
      expect(await nodes.rows.checkRows(nodes.target, { range, columns, body })).toBe(rows);
      const twice = Buffer.concat([body, body]);
      await expect(nodes.rows.checkRows(nodes.target, { range, columns, body: twice })).rejects.toMatchObject({
        name: 'SqlFailed',
      });
    }
    expect((await nodes.onTarget.query('SELECT FROM shard_0007.plain')).rowCount).toBe(0);
  });
});
