import { BatchReader, relationsOf } from '../../../../core/changes/batches';
import { decodeMessage, type ChangeMessage } from '../../../../core/changes/pgoutput';
import { SegmentReader } from '../../../../core/changes/segment';
import { comparePositions, type LogPosition } from '../../../../core/cluster/position';
import type { CapturedChanges } from '../../../../core/ports/database-engine';
import { postgresCapture } from '../../../../engines/postgresql/capture/capture';
import { startTestServer, testClient, type TestServer } from '../../../support/postgres';
import { oddShard } from '../odd-tables';
import { flushing, TwoNodes } from '../two-nodes';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(flushing);
});
afterAll(() => server.stop());

const tables = `
  CREATE SCHEMA shard_0007; CREATE SCHEMA shard_0008;
  CREATE TABLE shard_0007.orders (id int PRIMARY KEY, note text);
  CREATE TABLE shard_0008.orders (id int PRIMARY KEY, note text);
  CREATE UNLOGGED TABLE shard_0007.scratch (id int PRIMARY KEY)`;
const schemas = ['shard_0007'];

async function withSlot(work: (nodes: TwoNodes) => Promise<void>): Promise<void> {
  const nodes = await TwoNodes.make(server, tables);
  try {
    await nodes.openSlot(schemas);
    await work(nodes);
  } finally {
    await nodes.end();
  }
}

function messagesOf(body: Buffer): ChangeMessage[] {
  const reader = new SegmentReader(body);
  const messages: ChangeMessage[] = [];
  while (reader.next()) {
    messages.push(decodeMessage(body, reader.start, reader.end));
  }
  return messages;
}

const kinds = (body: Buffer): string[] => messagesOf(body).map(({ kind }) => kind);

test('nothing is null; changes are read as often as asked, and only those of the shard', async () => {
  await withSlot(async (nodes) => {
    expect(await nodes.peek()).toBeNull();
    await nodes.onSource.query(`
      INSERT INTO shard_0008.orders VALUES (1, 'of another shard'); INSERT INTO shard_0007.scratch VALUES (1)`);
    expect(await nodes.peek()).toBeNull();
    await nodes.onSource.query(`INSERT INTO shard_0007.orders VALUES (1, 'one')`);
    const changes = await nodes.peek();
    expect(changes).toMatchObject({ rows: 1, transactions: 1, drained: true });
    expect(kinds(changes?.body ?? Buffer.alloc(0))).toEqual(['begin', 'relation', 'insert', 'commit']);
    expect(await nodes.peek()).toEqual(changes);
    await nodes.capture.advance(nodes.source, { slot: nodes.slot, to: changes?.to ?? '' });
    expect(await nodes.peek()).toBeNull();
  });
});

test('all kinds of change count, and TRUNCATE is one', async () => {
  await withSlot(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.orders VALUES (1, 'one'), (2, 'two')`);
    await nodes.onSource.query(`UPDATE shard_0007.orders SET id = 3 WHERE id = 1`);
    await nodes.onSource.query(`DELETE FROM shard_0007.orders WHERE id = 2`);
    await nodes.onSource.query(`TRUNCATE shard_0007.orders`);
    const changes = await nodes.peek();
    expect(changes).toMatchObject({ rows: 5, transactions: 4 });
    expect(
      kinds(changes?.body ?? Buffer.alloc(0)).filter((kind) => !['begin', 'commit', 'relation'].includes(kind)),
    ).toEqual(['insert', 'insert', 'update', 'delete', 'truncate']);
  });
});

test('pieces end with transactions, fit, follow each other, and are the whole', async () => {
  await withSlot(async (nodes) => {
    for (let number = 0; number < 60; number += 1) {
      await nodes.onSource.query(
        `INSERT INTO shard_0007.orders SELECT $1 * 1000 + n, repeat('x', 40) FROM generate_series(1, 1 + $1 % 40) n`,
        [number],
      );
    }
    const all = await nodes.peek(10_000_000);
    expect(all).toMatchObject({ transactions: 60, drained: true });
    const pieces: CapturedChanges[] = [];
    let before = all?.from;
    for (let piece = await nodes.peek(8_000); piece !== null; piece = await nodes.peek(8_000)) {
      expect(piece.body.length).toBeLessThanOrEqual(8_000);
      expect(piece.from).toBe(before);
      expect(kinds(piece.body).at(-1)).toBe('commit');
      before = piece.to;
      pieces.push(piece);
      await nodes.capture.advance(nodes.source, { slot: nodes.slot, to: piece.to });
    }
    expect(pieces.length).toBeGreaterThan(8);
    expect(pieces.map(({ drained }) => drained)).toEqual(pieces.map((_, number) => number === pieces.length - 1));
    expect(before).toBe(all?.to);
    const sum = (of: 'rows' | 'transactions'): number => pieces.reduce((total, piece) => total + piece[of], 0);
    expect([sum('rows'), sum('transactions')]).toEqual([all?.rows, all?.transactions]);
  });
});

test('where much more is waiting than fits, only about as much as fits is asked for', async () => {
  await withSlot(async (nodes) => {
    await nodes.onSource.query(`
      CREATE PROCEDURE shard_0007.fill() LANGUAGE plpgsql AS $$ BEGIN
        FOR n IN 1..20000 LOOP INSERT INTO shard_0007.orders VALUES (n, repeat('x', 100)); COMMIT; END LOOP; END $$`);
    await nodes.onSource.query('CALL shard_0007.fill()');
    const piece = await nodes.peek(1_000_000);
    expect(piece?.drained).toBe(false);
    expect(piece?.body.length).toBeLessThanOrEqual(1_000_000);
    expect(piece?.body.length).toBeGreaterThanOrEqual(500_000);
    expect(await nodes.catchUp(1_000_000)).toBe(20_000);
  });
});

test('a transaction that is larger than asked for comes alone and whole; beyond the ceiling it is an error', async () => {
  await withSlot(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.orders VALUES (0, 'before')`);
    await nodes.onSource.query(
      `INSERT INTO shard_0007.orders SELECT n, repeat(md5(n::text), 100) FROM generate_series(1, 300) n`,
    );
    await nodes.onSource.query(`INSERT INTO shard_0007.orders VALUES (-1, 'after')`);
    const first = await nodes.peek(50_000);
    expect(first).toMatchObject({ rows: 1, transactions: 1, drained: false });
    await nodes.capture.advance(nodes.source, { slot: nodes.slot, to: first?.to ?? '' });
    const large = await nodes.peek(50_000);
    expect(large).toMatchObject({ rows: 300, transactions: 1, drained: false });
    expect(large?.body.length).toBeGreaterThan(900_000);
    const low = postgresCapture(server.source, { ceilingBytes: 100_000 });
    await expect(low.peek(nodes.source, { slot: nodes.slot, shard: oddShard, maxBytes: 50_000 })).rejects.toMatchObject(
      {
        name: 'SqlFailed',
        message: expect.stringMatching(
          /^the next transaction in slot '.*' has more than \d+ bytes of changes, and at most 100000 can be captured/,
        ) as string,
      },
    );
    expect(await nodes.catchUp(50_000)).toBe(301);
  });
});

test('one large value arrives whole', async () => {
  await withSlot(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.orders VALUES (1, repeat('0123456789', 2000000))`);
    const changes = await nodes.peek(1_000_000);
    expect(changes).toMatchObject({ rows: 1, transactions: 1 });
    expect(changes?.body.length).toBeGreaterThan(20_000_000);
  });
});

test('while clients write, passes lose nothing and repeat nothing', async () => {
  await withSlot(async (nodes) => {
    const ends: LogPosition[] = [];
    let written = 0;
    const writers = [1, 2, 3].map(async (writer) => {
      const client = await testClient(server, nodes.source);
      for (let number = 0; ends.length < 10; number += 1) {
        await client.query(`BEGIN; INSERT INTO shard_0007.orders VALUES (${writer * 1_000_000 + number}, 'x');
          UPDATE shard_0007.orders SET note = note || 'y' WHERE id = ${writer * 1_000_000 + Math.floor(number / 2)}; COMMIT`);
        written += 2;
      }
      await client.end();
    });
    let applied = 0;
    while (ends.length < 10) {
      const changes = await nodes.peek(5_000);
      if (changes !== null) {
        ends.push(changes.to);
        applied += (await nodes.apply(changes)).rows;
        await nodes.capture.advance(nodes.source, { slot: nodes.slot, to: changes.to });
      }
    }
    await Promise.all(writers);
    expect(ends).toEqual(ends.toSorted(comparePositions));
    applied += await nodes.catchUp();
    expect(applied).toBe(written);
    const [source, target] = await nodes.both('SELECT * FROM shard_0007.orders ORDER BY id');
    expect(target).toEqual(source);
  });
});

test('each piece names the relations of its rows, so that it can be read alone', async () => {
  await withSlot(async (nodes) => {
    await nodes.onSource.query(`INSERT INTO shard_0007.orders VALUES (1, 'one')`);
    await nodes.onSource.query(`INSERT INTO shard_0007.orders VALUES (2, 'two')`);
    await nodes.peek(150);
    const first = await nodes.peek(150);
    expect(first?.transactions).toBe(1);
    await nodes.capture.advance(nodes.source, { slot: nodes.slot, to: first?.to ?? '' });
    const second = await nodes.peek(150);
    const body = second?.body ?? Buffer.alloc(0);
    const { relations } = relationsOf(body);
    const keys = new Map([...relations.keys()].map((id) => [id, [0]]));
    const reader = new BatchReader(body, relations, keys, { maxChanges: 10, maxBytes: 1_000 }, null);
    expect(reader.next()).toMatchObject({ rows: 1, to: second?.to });
  });
});
