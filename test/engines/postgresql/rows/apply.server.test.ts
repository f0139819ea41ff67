import fc from 'fast-check';
import { SegmentWriter } from '../../../../core/changes/segment';
import type { CapturedChanges } from '../../../../core/ports/database-engine';
import { withSession, rowSession } from '../../../../engines/postgresql/connection';
import { applyChanges } from '../../../../engines/postgresql/rows/apply-changes';
import { startTestServer, testClient, type TestServer } from '../../../support/postgres';
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
    await nodes.openSlot(tables === oddTables ? oddSchemas : ['shard_0007']);
    await work(nodes);
  } finally {
    await nodes.end();
  }
}

async function expectSame(nodes: TwoNodes): Promise<void> {
  for (const { schema, table } of oddTableKeys) {
    const name = `"${schema.replaceAll('"', '""')}"."${table.replaceAll('"', '""')}"`;
    const [source, target] = await nodes.both(`SELECT t::text FROM ONLY ${name} AS t ORDER BY t::text COLLATE "C"`);
    expect([table, target.length]).toEqual([table, source.length]);
    expect(target).toEqual(source);
  }
}

const captured = async (nodes: TwoNodes): Promise<CapturedChanges> => {
  const changes = await nodes.peek(50_000_000);
  if (changes === null) {
    throw new Error('nothing was captured');
  }
  return changes;
};

test('inserts, updates and deletes of every type of table end the same on the target', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    await nodes.catchUp();
    await expectSame(nodes);
    await nodes.onSource.query(`
      UPDATE shard_0007.types SET words = E'changed\\t\\\\', double = double / 3, exact = exact + 1;
      DELETE FROM shard_0007.types WHERE id % 5 = 0;
      UPDATE shard_0007.types SET mood = 'so so' WHERE id % 2 = 0;
      UPDATE shard_0007.seats SET number = DEFAULT WHERE row_no = 3;
      UPDATE shard_0007.pairs SET right_id = right_id + 1000 WHERE left_id % 2 = 0;
      UPDATE shard_0007.events SET day = day + 365 WHERE id % 3 = 0 AND day < '2026-01-01';
      DELETE FROM shard_0007.events WHERE id % 7 = 0;
      UPDATE "Süß ""quoted"" schema"."order items; -- '" SET "key, with "" quotes" = "key, with "" quotes" || '!"',
             "back\\slash" = NULL`);
    await nodes.catchUp();
    await expectSame(nodes);
  });
});

test('chunks that are read while rows change become right by replay', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    const planned = await nodes.rows.planRanges(nodes.source, {
      schemas: oddSchemas,
      rowsPerChunk: 20,
      bytesPerChunk: 50_000,
    });
    for (const [number, { range, columns }] of planned.entries()) {
      const { body } = await nodes.rows.readRange(nodes.source, { range, columns, maxBytes: 10_000_000 });
      await nodes.rows.loadRows(nodes.target, { loadId: `${number}`, shard: oddShard, range, columns, body });
      // Moves rows over the ranges, those that were read and those that were not.
      await nodes.onSource.query(`
        UPDATE shard_0007.plain SET id = id + 100000 * ${number + 1}, v = v || '.' WHERE id % 11 = ${number % 11};
        DELETE FROM shard_0007.pairs WHERE right_id % 13 = ${number % 13};
        INSERT INTO shard_0007.pairs VALUES (${number}, 5000 + ${number});
        UPDATE shard_0007.essays SET title = title || '!' WHERE id % 7 = ${number % 7}`);
    }
    await nodes.catchUp(40_000);
    await expectSame(nodes);
  });
});

test('values beside the row that did not change are kept, wherever they are', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    await nodes.copyRows();
    await nodes.catchUp();
    await nodes.onSource.query(`
      UPDATE shard_0007.essays SET title = 'updated' WHERE id <= 10;
      UPDATE shard_0007.essays SET id = id + 1000 WHERE id BETWEEN 5 AND 15;
      UPDATE shard_0007.essays SET id = id + 1000, notes = repeat('n', 10) WHERE id BETWEEN 1010 AND 1012;
      UPDATE shard_0007.essays SET id = -1 WHERE id = 20;
      UPDATE shard_0007.essays SET id = 20 WHERE id = 21;
      UPDATE shard_0007.essays SET id = 21 WHERE id = -1;
      DELETE FROM shard_0007.essays WHERE id = 22;
      UPDATE shard_0007.essays SET id = 22 WHERE id = 23;
      UPDATE shard_0007.whole SET title = 'updated' WHERE id % 2 = 0;
      UPDATE shard_0007.whole SET id = id + 100 WHERE id % 3 = 0;
      DELETE FROM shard_0007.whole WHERE id % 5 = 0;
      UPDATE shard_0007.seats SET guest = guest || '!' WHERE row_no = 2;
      UPDATE shard_0007.seats SET seat = seat || 'x' WHERE row_no = 4`);
    await nodes.catchUp();
    await expectSame(nodes);
    const [source] = await nodes.both(`SELECT sum(length(essay))::int AS total FROM shard_0007.essays`);
    expect(source).toEqual([{ total: 59 * 9_600 }]);
  });
});

test('rows that swap unique values are written, in one batch and in several', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    await nodes.catchUp();
    await nodes.onSource.query(`
      UPDATE shard_0007.seats SET guest = '-' WHERE guest = 'guest 1';
      UPDATE shard_0007.seats SET guest = 'guest 1' WHERE guest = 'guest 5';
      UPDATE shard_0007.seats SET guest = 'guest 5' WHERE guest = '-';
      UPDATE shard_0007.seats SET guest = NULL WHERE guest = 'guest 7';
      INSERT INTO shard_0007.seats VALUES (99, 'Z', 'guest 7')`);
    await nodes.catchUp();
    await expectSame(nodes);
  });
});

test('TRUNCATE empties the table, of what came before it only', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(oddRows);
    await nodes.catchUp();
    await nodes.onSource.query(`
      INSERT INTO shard_0007.plain VALUES (9001, 'before'); TRUNCATE shard_0007.plain; INSERT INTO shard_0007.plain VALUES (9002, 'after');
      TRUNCATE shard_0007.events_2025;
      TRUNCATE shard_0007.pairs, shard_0007.whole`);
    await nodes.catchUp();
    await expectSame(nodes);
    expect((await nodes.onTarget.query('SELECT * FROM shard_0007.plain')).rows).toEqual([{ id: 9002, v: 'after' }]);
  });
});

test('TRUNCATE of tables that refer to each other', async () => {
  const tables = `
    CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.parents (id int PRIMARY KEY);
    CREATE TABLE shard_0007.children (id int PRIMARY KEY, parent int REFERENCES shard_0007.parents)`;
  await withNodes(async (nodes) => {
    await nodes.onSource.query(
      'INSERT INTO shard_0007.parents VALUES (1); INSERT INTO shard_0007.children VALUES (1, 1)',
    );
    await nodes.catchUp();
    await nodes.onSource.query('TRUNCATE shard_0007.parents CASCADE');
    await nodes.onSource.query('INSERT INTO shard_0007.parents VALUES (2)');
    await nodes.catchUp();
    const [source, target] = await nodes.both(
      'SELECT p.id, c.id FROM shard_0007.parents p LEFT JOIN shard_0007.children c ON true',
    );
    expect(target).toEqual(source);
  }, tables);
});

test('changes at or before the position reached are passed over, and the position is kept with the rows', async () => {
  await withNodes(async (nodes) => {
    const order = { shard: oddShard, lineage: nodes.slot };
    expect(await nodes.rows.appliedTo(nodes.target, order)).toBeNull();
    await nodes.onSource.query(`INSERT INTO shard_0007.plain VALUES (1, 'one'), (2, 'two')`);
    const first = await captured(nodes);
    await nodes.onSource.query(`DELETE FROM shard_0007.plain WHERE id = 1`);
    const both = await captured(nodes);
    expect(await nodes.apply(first)).toEqual({ rows: 2, passedOver: 0 });
    expect(await nodes.rows.appliedTo(nodes.target, order)).toBe(first.to);
    expect(await nodes.apply(both)).toEqual({ rows: 1, passedOver: 2 });
    expect(await nodes.apply(both)).toEqual({ rows: 0, passedOver: 3 });
    expect(await nodes.apply(first)).toEqual({ rows: 0, passedOver: 2 });
    expect(await nodes.rows.appliedTo(nodes.target, order)).toBe(both.to);
    expect(await nodes.rows.appliedTo(nodes.target, { ...order, lineage: 'another' })).toBeNull();
    expect((await nodes.onTarget.query('SELECT * FROM shard_0007.plain')).rows).toEqual([{ id: 2, v: 'two' }]);
  });
});

test('changes without rows move the position on, and an empty body does', async () => {
  await withNodes(async (nodes) => {
    const order = { shard: oddShard, lineage: nodes.slot };
    expect(await nodes.apply({ body: Buffer.alloc(0), to: '0/10' })).toEqual({ rows: 0, passedOver: 0 });
    expect(await nodes.apply({ body: new SegmentWriter().finish('0/8', '0/20'), to: '0/20' })).toEqual({
      rows: 0,
      passedOver: 0,
    });
    expect(await nodes.apply({ body: Buffer.alloc(0), to: '0/18' })).toEqual({ rows: 0, passedOver: 0 });
    expect(await nodes.rows.appliedTo(nodes.target, order)).toBe('0/20');
  });
});

test('a gap before the changes is an error, and so is another end than expected', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.plain VALUES (1, 'one')`);
    const first = await captured(nodes);
    await nodes.capture.advance(nodes.source, { slot: nodes.slot, to: first.to });
    await nodes.onSource.query(`INSERT INTO shard_0007.plain VALUES (2, 'two')`);
    const second = await captured(nodes);
    await nodes.apply({ body: Buffer.alloc(0), to: first.from });
    await expect(nodes.apply(second)).rejects.toMatchObject({
      name: 'ManifestMismatch',
      message: expect.stringMatching(
        /^changes of 'shard_0007' between .*, which was reached, and .* are missing/,
      ) as string,
    });
    await expect(nodes.apply({ body: second.body, to: first.to })).rejects.toMatchObject({ name: 'ManifestMismatch' });
    await nodes.apply(first);
    await nodes.apply(second);
    expect((await nodes.onTarget.query('SELECT FROM shard_0007.plain')).rowCount).toBe(2);
  });
});

test('several that apply the same changes at once apply them once', async () => {
  await withNodes(async (nodes) => {
    for (let number = 0; number < 30; number += 1) {
      await nodes.onSource
        .query(`INSERT INTO shard_0007.plain SELECT ${number * 100} + n, '' FROM generate_series(1, 20) n;
        UPDATE shard_0007.plain SET v = v || '${number},'`);
    }
    const { body, to } = await captured(nodes);
    const order = { shard: oddShard, lineage: nodes.slot, body, to };
    const small = { maxChanges: 50, maxBytes: 1_000_000 };
    const results = await Promise.all(
      [1, 2, 3].map(() =>
        withSession(server.source, nodes.target, rowSession, (client) => applyChanges(client, order, small)),
      ),
    );
    const total = results[0] === undefined ? 0 : results[0].rows + results[0].passedOver;
    expect(results.map(({ rows, passedOver }) => rows + passedOver)).toEqual([total, total, total]);
    expect(results.reduce((sum, { rows }) => sum + rows, 0)).toBe(total);
    const [source, target] = await nodes.both('SELECT * FROM shard_0007.plain ORDER BY id');
    expect(target).toEqual(source);
  });
});

test('an applier that is killed in a batch leaves whole batches, and is gone on from', async () => {
  await withNodes(async (nodes) => {
    for (let number = 0; number < 20; number += 1) {
      await nodes.onSource.query(
        `INSERT INTO shard_0007.plain SELECT ${number * 100} + n, '' FROM generate_series(1, 20) n`,
      );
    }
    const { body, to } = await captured(nodes);
    const order = { shard: oddShard, lineage: nodes.slot, body, to };
    // The fifth batch waits for this row, and is ended there.
    await nodes.onTarget.query(`BEGIN; INSERT INTO shard_0007.plain VALUES (401, 'in the way')`);
    const applying = withSession(server.source, nodes.target, rowSession, (client) =>
      applyChanges(client, order, { maxChanges: 20, maxBytes: 1_000_000 }),
    );
    const killer = await testClient(server, nodes.target);
    for (;;) {
      const { rowCount } = await killer.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO "shard_0007"."plain"%'`,
      );
      if (rowCount !== 0) {
        break;
      }
    }
    await expect(applying).rejects.toMatchObject({ name: 'SqlUnavailable' });
    await nodes.onTarget.query('ROLLBACK');
    expect((await killer.query('SELECT FROM shard_0007.plain')).rowCount).toBe(80);
    await killer.end();
    expect(await nodes.apply({ body, to })).toEqual({ rows: 320, passedOver: 80 });
    const [source, target] = await nodes.both('SELECT * FROM shard_0007.plain ORDER BY id');
    expect(target).toEqual(source);
  });
});

test.each([
  ['a missing table', 'DROP TABLE shard_0007.plain', "table 'shard_0007.plain' does not exist on this node"],
  [
    'a missing column',
    'ALTER TABLE shard_0007.plain DROP v',
    "table 'shard_0007.plain' has no column 'v' on this node",
  ],
  [
    'a further column',
    'ALTER TABLE shard_0007.plain ADD w int',
    "has a column 'w' on this node, which the source lacks",
  ],
  [
    'another type',
    'ALTER TABLE shard_0007.plain ALTER v TYPE varchar(10)',
    "has another type for column 'v' on this node ('pg_catalog.varchar') than on the source (type 25)",
  ],
  [
    'a generated column',
    `ALTER TABLE shard_0007.plain DROP v; ALTER TABLE shard_0007.plain ADD v text GENERATED ALWAYS AS ('x') STORED`,
    "has a generated column 'v' on this node",
  ],
  ['no key yet', 'ALTER TABLE shard_0007.plain DROP CONSTRAINT plain_pkey', "build the shard's keys first"],
  [
    'another key',
    'ALTER TABLE shard_0007.plain DROP CONSTRAINT plain_pkey, ALTER v SET NOT NULL, ADD PRIMARY KEY (v)',
    "has 'v' in its primary key on this node, but not in its replica identity on the source",
  ],
])('a target with %s is an error that says so, and nothing is applied', async (_name, sql, message) => {
  await withNodes(async (nodes) => {
    await nodes.onTarget.query(sql);
    await nodes.onSource.query(
      `INSERT INTO shard_0007.pairs VALUES (1, 1); INSERT INTO shard_0007.plain VALUES (1, 'one')`,
    );
    await expect(captured(nodes).then((changes) => nodes.apply(changes))).rejects.toMatchObject({
      name: 'SqlFailed',
      message: expect.stringContaining(message) as string,
    });
    expect((await nodes.onTarget.query('SELECT FROM shard_0007.pairs')).rowCount).toBe(0);
  });
});

test('an enum of another name is another type', async () => {
  const tables = `CREATE SCHEMA shard_0007; CREATE TYPE shard_0007.mood AS ENUM ('a'); CREATE TABLE shard_0007.t (id int PRIMARY KEY, m shard_0007.mood)`;
  await withNodes(async (nodes) => {
    await nodes.onTarget.query('ALTER TYPE shard_0007.mood RENAME TO humour');
    await nodes.onSource.query(`INSERT INTO shard_0007.t VALUES (1, 'a')`);
    await expect(captured(nodes).then((changes) => nodes.apply(changes))).rejects.toThrow(
      "('shard_0007.humour') than on the source (type 'shard_0007.mood')",
    );
  }, tables);
});

test('a table that changed while changes were captured is an error that shows both', async () => {
  await withNodes(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.pairs VALUES (1, 1); ALTER TABLE shard_0007.pairs ADD note text;
      INSERT INTO shard_0007.pairs VALUES (2, 2, 'x')`);
    await expect(captured(nodes).then((changes) => nodes.apply(changes))).rejects.toMatchObject({
      name: 'SqlFailed',
      message: expect.stringContaining(
        'from shard_0007.pairs (left_id 23, right_id 23) to shard_0007.pairs (left_id 23, right_id 23, note 25)',
      ) as string,
    });
  });
});

test('a unique value that two copied rows have is an error that says what to do', async () => {
  await withNodes(async (nodes) => {
    await nodes.onTarget.query(`INSERT INTO shard_0007.seats OVERRIDING SYSTEM VALUE VALUES (1, 'A', 'twice', 1)`);
    await nodes.onSource.query(`INSERT INTO shard_0007.seats OVERRIDING SYSTEM VALUE VALUES (2, 'B', 'twice', 2)`);
    await expect(captured(nodes).then((changes) => nodes.apply(changes))).rejects.toMatchObject({
      name: 'SqlFailed',
      message: expect.stringContaining("break its constraint 'seats_guest_key'") as string,
    });
  });
});

test('triggers and foreign keys do not fire for applied changes', async () => {
  const tables = `
    CREATE SCHEMA shard_0007; CREATE TABLE shard_0007.parents (id int PRIMARY KEY);
    CREATE TABLE shard_0007.children (id int PRIMARY KEY, parent int REFERENCES shard_0007.parents ON DELETE CASCADE, seen int DEFAULT 0);
    CREATE FUNCTION shard_0007.count() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := NEW.seen + 1; RETURN NEW; END';
    CREATE TRIGGER count BEFORE INSERT OR UPDATE ON shard_0007.children FOR EACH ROW EXECUTE FUNCTION shard_0007.count()`;
  await withNodes(async (nodes) => {
    await nodes.onSource.query(
      'INSERT INTO shard_0007.parents VALUES (1), (2); INSERT INTO shard_0007.children SELECT n, 1 + n % 2 FROM generate_series(1, 10) n',
    );
    await nodes.onSource.query(
      'DELETE FROM shard_0007.parents WHERE id = 2; UPDATE shard_0007.children SET parent = parent',
    );
    await nodes.catchUp();
    const [source, target] = await nodes.both('SELECT * FROM shard_0007.children ORDER BY id');
    expect(target).toEqual(source);
    expect(target).toHaveLength(5);
  }, tables);
});

test('whatever is done to a table with large, unique and identity values, in whatever batches, ends the same', async () => {
  const tables = `
    CREATE SCHEMA shard_0007;
    CREATE TABLE shard_0007.t (a int, b text, title text UNIQUE, essay text, number int GENERATED BY DEFAULT AS IDENTITY, PRIMARY KEY (b, a));
    CREATE TABLE shard_0007.u (a int, b text, title text, essay text, number int, PRIMARY KEY (b, a))`;
  const key = fc.record({ a: fc.nat(2), b: fc.constantFrom('x', 'y', 'é\t') });
  const operation = fc.record({
    table: fc.constantFrom('t', 'u'),
    kind: fc.constantFrom('insert', 'insert', 'title', 'essay', 'move', 'delete', 'swap', 'truncate'),
    key,
    other: key,
    value: fc.nat(999),
  });
  await withNodes(async (nodes) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 3, maxLength: 25 }),
        fc.integer({ min: 1, max: 10 }),
        async (work, maxChanges) => {
          for (const { table, kind, key: one, other, value } of work) {
            const name = `shard_0007.${table}`;
            const is = (wanted: { a: number; b: string }): string => `a = ${wanted.a} AND b = '${wanted.b}'`;
            const essay = `(SELECT string_agg(md5((i * ${value})::text), '') FROM generate_series(1, 100) i)`;
            const sql = {
              insert: `INSERT INTO ${name} VALUES (${one.a}, '${one.b}', 'title ${value}', ${essay}, ${value}) ON CONFLICT DO NOTHING`,
              title: `UPDATE ${name} SET title = 'title ${value}' WHERE ${is(one)} AND NOT EXISTS (SELECT FROM ${name} WHERE title = 'title ${value}')`,
              essay: `UPDATE ${name} SET essay = ${essay} WHERE ${is(one)}`,
              move: `UPDATE ${name} SET a = ${other.a}, b = '${other.b}' WHERE ${is(one)} AND NOT EXISTS (SELECT FROM ${name} WHERE ${is(other)})`,
              delete: `DELETE FROM ${name} WHERE ${is(one)}`,
              swap: `BEGIN; CREATE TEMP TABLE s ON COMMIT DROP AS SELECT a, b, title FROM ${name} WHERE (${is(one)}) OR (${is(other)});
                   UPDATE ${name} SET title = NULL WHERE (a, b) IN (SELECT a, b FROM s);
                   UPDATE ${name} t SET title = s.title FROM s WHERE (t.a, t.b) <> (s.a, s.b) AND (t.a, t.b) IN (SELECT a, b FROM s); COMMIT`,
              truncate: `TRUNCATE ${name}`,
            }[kind];
            await nodes.onSource.query(sql);
          }
          const changes = await nodes.peek(50_000_000);
          if (changes !== null) {
            const order = { shard: oddShard, lineage: nodes.slot, body: changes.body, to: changes.to };
            await withSession(server.source, nodes.target, rowSession, (client) =>
              applyChanges(client, order, { maxChanges, maxBytes: 100_000_000 }),
            );
            await nodes.capture.advance(nodes.source, { slot: nodes.slot, to: changes.to });
          }
          for (const table of ['t', 'u']) {
            const [source, target] = await nodes.both(`SELECT * FROM shard_0007.${table} ORDER BY a, b COLLATE "C"`);
            expect(target).toEqual(source);
          }
        },
      ),
      { numRuns: 60 },
    );
  }, tables);
}, 240_000);
