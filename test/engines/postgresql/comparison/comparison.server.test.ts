import { createHash } from 'node:crypto';
import type { RowRange } from '../../../../core/cluster/manifest';
import { startTestServer, type TestServer } from '../../../support/postgres';
import { oddRows, oddSchemas, oddShard, oddTableKeys, oddTables } from '../odd-tables';
import { flushing, TwoNodes } from '../two-nodes';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(flushing);
});
afterAll(() => server.stop());

async function withNodes(work: (nodes: TwoNodes) => Promise<void>, tables = oddTables): Promise<void> {
  const nodes = await TwoNodes.make(server, tables);
  try {
    await work(nodes);
  } finally {
    await nodes.end();
  }
}

const all = (table: string, keyColumns: string[] = ['id']): RowRange => ({
  schema: 'shard_0007',
  table,
  keyColumns,
  lowKey: null,
  highKey: null,
});

test('the checksum is the count and the sums of both halves of each row’s MD5', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(
      `INSERT INTO shard_0007.plain SELECT n, CASE WHEN n % 3 = 0 THEN NULL ELSE 'v' || n END FROM generate_series(1, 100) n`,
    );
    let high = 0n;
    let low = 0n;
    for (let number = 1; number <= 100; number += 1) {
      const md5 = createHash('md5')
        .update(`(${number},${number % 3 === 0 ? '' : `v${number}`})`)
        .digest();
      high = BigInt.asUintN(64, high + md5.readBigUInt64BE(0));
      low = BigInt.asUintN(64, low + md5.readBigUInt64BE(8));
    }
    expect(await nodes.comparison.checksum(nodes.source, all('plain'))).toEqual({
      rows: 100,
      high: `${high}`,
      low: `${low}`,
    });
    expect(await nodes.comparison.checksum(nodes.target, all('plain'))).toEqual({ rows: 0, high: '0', low: '0' });
  });
});

test('the same content has the same checksum, whatever the order of columns, the rows’ places and what is generated', async () => {
  const tables = 'CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.t (id int PRIMARY KEY, b text, a text)';
  await withNodes(async (nodes) => {
    await nodes.onTarget.query(`
      DROP TABLE shard_0007.t;
      CREATE TABLE shard_0007.t (gone int, a text, id int PRIMARY KEY, b text, g int GENERATED ALWAYS AS (id + 1) STORED);
      ALTER TABLE shard_0007.t DROP gone`);
    await nodes.onSource.query(`INSERT INTO shard_0007.t SELECT n, 'b' || n, NULL FROM generate_series(1, 50) n`);
    await nodes.onTarget.query(
      `INSERT INTO shard_0007.t (id, b) SELECT n, 'b' || n FROM generate_series(50, 1, -1) n; UPDATE shard_0007.t SET id = id`,
    );
    const source = await nodes.comparison.checksum(nodes.source, all('t'));
    expect(await nodes.comparison.checksum(nodes.target, all('t'))).toEqual(source);
    // A null is not an empty text, and a value that moves to the next column is not the same row.
    await nodes.onTarget.query(`UPDATE shard_0007.t SET a = '' WHERE id = 7`);
    expect((await nodes.comparison.checksum(nodes.target, all('t'))).high).not.toBe(source.high);
    await nodes.onTarget.query(`UPDATE shard_0007.t SET a = b, b = NULL`);
    expect((await nodes.comparison.checksum(nodes.target, all('t'))).low).not.toBe(source.low);
  }, tables);
});

test('ranges add up, and digests are those of the checksum', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    const planned = await nodes.rows.planRanges(nodes.source, {
      schemas: oddSchemas,
      rowsPerChunk: 30,
      bytesPerChunk: 1e6,
    });
    for (const { schema, table, keyColumns } of oddTableKeys) {
      const whole = await nodes.comparison.checksum(nodes.source, {
        schema,
        table,
        keyColumns,
        lowKey: null,
        highKey: null,
      });
      const sum = { rows: 0, high: 0n, low: 0n };
      for (const { range } of planned.filter((one) => one.range.schema === schema && one.range.table === table)) {
        const part = await nodes.comparison.checksum(nodes.source, range);
        const digests = await nodes.comparison.digests(nodes.source, range);
        expect(digests).toHaveLength(part.rows);
        expect(digests.every(({ key }) => key.length === keyColumns.length)).toBe(true);
        const high = digests.reduce((total, { md5 }) => total + BigInt(`0x${md5.slice(0, 16)}`), 0n);
        expect(`${BigInt.asUintN(64, high)}`).toBe(part.high);
        sum.rows += part.rows;
        sum.high = BigInt.asUintN(64, sum.high + BigInt(part.high));
        sum.low = BigInt.asUintN(64, sum.low + BigInt(part.low));
      }
      expect({ rows: sum.rows, high: `${sum.high}`, low: `${sum.low}` }).toEqual(whole);
    }
  });
});

test('copied rows have the checksums of their source, and the database’s own settings don’t matter', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    await nodes.copyRows();
    await nodes.onTarget.query(`
      ALTER DATABASE "${nodes.target.database}" SET timezone = 'Asia/Tokyo'; ALTER DATABASE "${nodes.target.database}" SET datestyle = 'German';
      ALTER DATABASE "${nodes.target.database}" SET bytea_output = 'escape'; ALTER DATABASE "${nodes.target.database}" SET extra_float_digits = -3;
      ALTER DATABASE "${nodes.target.database}" SET intervalstyle = 'sql_standard'`);
    for (const table of oddTableKeys) {
      const range = { ...table, lowKey: null, highKey: null };
      const source = await nodes.comparison.checksum(nodes.source, range);
      expect(source.rows).toBeGreaterThan(0);
      expect([table.table, await nodes.comparison.checksum(nodes.target, range)]).toEqual([table.table, source]);
    }
  });
});

test('digests of rows by key, in the order asked, each with its xmin, which grows with each change', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.pairs VALUES (1, 2), (1, 3)`);
    const range = all('pairs', ['left_id', 'right_id']);
    const look = (...keys: string[][]) => nodes.comparison.rowDigests(nodes.source, { range, keys });
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    const [third, none, first] = await look(['1', '3'], ['1', '4'], ['1', '2']);
    expect([third?.md5, none, first?.md5]).toEqual([md5('(1,3)'), null, md5('(1,2)')]);
    expect(await look(['1', '2'])).toEqual([first]);
    expect(await look()).toEqual([]);
    await nodes.onSource.query('UPDATE shard_0007.pairs SET left_id = 1');
    const [second] = await look(['1', '2']);
    expect(second?.md5).toBe(first?.md5);
    expect(Number(second?.xmin)).toBeGreaterThan(Number(first?.xmin));
  });
});

test('repair copies rows, replaces rows and deletes rows by their keys, whatever their tables are like', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    await nodes.copyRows();
    const table = '"Süß ""quoted"" schema"."order items; -- \'"';
    await nodes.onTarget.query(`
      DELETE FROM ${table} WHERE "key, with "" quotes" IN ('', E'\\\\N');
      UPDATE ${table} SET "back\\slash" = 77 WHERE "key, with "" quotes" IN (E'a\\tb\\n', '\\.');
      INSERT INTO ${table} VALUES ('too many', '', 1), (E'\\t', '', 1)`);
    const range: RowRange = { ...(oddTableKeys[0] ?? all('')), lowKey: null, highKey: null };
    const keys = ['', '\\N', 'a\tb\n', '\\.', 'too many', '\t', 'nowhere'].map((key) => [key]);
    expect(
      await nodes.comparison.repairRows(nodes.source, nodes.target, {
        shard: oddShard,
        range,
        keys: [...keys, ...keys],
      }),
    ).toBe(6);
    const source = await nodes.comparison.checksum(nodes.source, range);
    expect(await nodes.comparison.checksum(nodes.target, range)).toEqual(source);
    expect(await nodes.comparison.repairRows(nodes.source, nodes.target, { shard: oddShard, range, keys: [] })).toBe(0);
  });
});

test('repair keeps identity values and what is generated, and lets rows swap unique values', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    await nodes.copyRows();
    await nodes.onTarget.query(`
      UPDATE shard_0007.types SET words = 'damaged', exact = 0 WHERE id <= 40;
      UPDATE shard_0007.seats SET guest = '-' WHERE guest = 'guest 1'; UPDATE shard_0007.seats SET guest = 'guest 1' WHERE guest = 'guest 2';
      UPDATE shard_0007.seats SET guest = 'guest 2' WHERE guest = '-'`);
    for (const table of ['types', 'seats']) {
      const range: RowRange = {
        ...(oddTableKeys.find((one) => one.table === table) ?? all('')),
        lowKey: null,
        highKey: null,
      };
      const found = new Map(
        (await nodes.comparison.digests(nodes.target, range)).map(({ key, md5 }) => [JSON.stringify(key), md5]),
      );
      const wanted = await nodes.comparison.digests(nodes.source, range);
      const keys = wanted.filter(({ key, md5 }) => found.get(JSON.stringify(key)) !== md5).map(({ key }) => key);
      expect(keys).toHaveLength(table === 'types' ? 40 : 2);
      expect(await nodes.comparison.repairRows(nodes.source, nodes.target, { shard: oddShard, range, keys })).toBe(
        keys.length,
      );
      expect(await nodes.comparison.checksum(nodes.target, range)).toEqual(
        await nodes.comparison.checksum(nodes.source, range),
      );
    }
    const [source, target] = await nodes.both('SELECT id, doubled FROM shard_0007.types ORDER BY id');
    expect(target).toEqual(source);
  });
});

test('repair of thousands of keys, and of large rows', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`
      INSERT INTO shard_0007.plain SELECT n, md5(n::text) FROM generate_series(1, 3500) n;
      INSERT INTO shard_0007.essays SELECT n, 'large', repeat(md5(n::text), 100000) FROM generate_series(1, 6) n`);
    const keys = Array.from({ length: 3_500 }, (_, number) => [`${number + 1}`]);
    expect(
      await nodes.comparison.repairRows(nodes.source, nodes.target, { shard: oddShard, range: all('plain'), keys }),
    ).toBe(3_500);
    const few = keys.slice(0, 6);
    expect(
      await nodes.comparison.repairRows(nodes.source, nodes.target, {
        shard: oddShard,
        range: all('essays'),
        keys: few,
      }),
    ).toBe(6);
    for (const range of [all('plain'), all('essays')]) {
      expect(await nodes.comparison.checksum(nodes.target, range)).toEqual(
        await nodes.comparison.checksum(nodes.source, range),
      );
    }
  });
});

test('a repair that fails leaves the target as it was', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.plain VALUES (1, 'one'), (2, 'two')`);
    await nodes.onTarget.query(
      `INSERT INTO shard_0007.plain VALUES (1, 'damaged'); ALTER TABLE shard_0007.plain ADD CHECK (v <> 'two')`,
    );
    const order = { shard: oddShard, range: all('plain'), keys: [['1'], ['2']] };
    await expect(nodes.comparison.repairRows(nodes.source, nodes.target, order)).rejects.toMatchObject({
      name: 'SqlFailed',
    });
    expect((await nodes.onTarget.query('SELECT v FROM shard_0007.plain')).rows).toEqual([{ v: 'damaged' }]);
    await nodes.onTarget.query('ALTER TABLE shard_0007.plain ADD w int');
    await expect(nodes.comparison.repairRows(nodes.source, nodes.target, order)).rejects.toThrow(
      "only one of the nodes has column 'w'",
    );
  });
});

test('a range that was cut by another key is an error that names both', async () => {
  await withNodes(async (nodes) => {
    await expect(nodes.comparison.checksum(nodes.source, all('pairs'))).rejects.toMatchObject({
      name: 'SqlFailed',
      message: expect.stringContaining(
        "'shard_0007.pairs' is (left_id, right_id), but the range is cut by (id)",
      ) as string,
    });
    await expect(nodes.comparison.checksum(nodes.source, all('nothing'))).rejects.toThrow(
      'there is no table "shard_0007"."nothing"',
    );
  });
});

test('keys that are equal but not the same text are one row', async () => {
  const tables = 'CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.t (id numeric PRIMARY KEY, v text)';
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.t VALUES (1.0, 'right')`);
    await nodes.onTarget.query(`INSERT INTO shard_0007.t VALUES (1.00, 'wrong')`);
    const order = { shard: oddShard, range: all('t'), keys: [['1.0'], ['1.00']] };
    expect(await nodes.comparison.repairRows(nodes.source, nodes.target, order)).toBe(1);
    expect(await nodes.comparison.checksum(nodes.target, all('t'))).toEqual(
      await nodes.comparison.checksum(nodes.source, all('t')),
    );
  }, tables);
});

test('what goes wrong on the source of a repair is said of the source', async () => {
  const tables = `CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.t (id int PRIMARY KEY, v int)`;
  await withNodes(async (nodes) => {
    const there = { ...nodes.source, nodeId: 'node-of-the-source' };
    // No number is as large as this one: the source can't read the key.
    const order = { shard: oddShard, range: all('t'), keys: [['99999999999']] };
    await nodes.onTarget.query('ALTER TABLE shard_0007.t ALTER id TYPE bigint');
    await expect(nodes.comparison.repairRows(there, nodes.target, order)).rejects.toMatchObject({
      name: 'SqlFailed',
      message: expect.stringContaining("node 'node-of-the-source'") as string,
    });
  }, tables);
});
