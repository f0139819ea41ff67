import type { Chunk, Manifest, SchemaDescription } from '../../../core/cluster/manifest';
import { ablationsOf } from '../../../core/restore/ablation';
import { decideAfterComparison } from '../../../core/restore/after-comparison';
import {
  itemsFromBackup,
  itemsFromSurvivor,
  manifestShard,
  numbered,
  requireChunkList,
  requireManifest,
  snapshotMisfit,
  survivorRowsPerChunk,
  tablesDiffer,
} from '../../../core/restore/choose-rows';
import { loadNoteName, loadNoteOf, sumOfNotes, type LoadNote } from '../../../core/restore/load-notes';

const range = { schema: 'shard_0001', table: 'item', keyColumns: ['id'], lowKey: null, highKey: null };

function chunk(number: number, given: Partial<Chunk> = {}): Chunk {
  const key = `orders/b1/chunks/shard_0001/shard_0001.item/${number}.copy.lz4`;
  return {
    shard: 'shard_0001',
    range,
    key,
    columns: ['id'],
    rows: 10,
    rawBytes: 100,
    storedBytes: 50,
    sha256: 'x',
    ...given,
  };
}

const manifest: Manifest = {
  format: 1,
  cluster: 'orders',
  backup: 'b1',
  startedAtMs: 0,
  finishedAtMs: 1,
  shardCount: 16,
  shards: [
    {
      shard: 'shard_0001',
      epoch: 3,
      primary: 'node-1',
      slot: 'c0001e3b123456',
      changesFrom: '0/10',
      schemaKey: 'orders/b1/schema/shard_0001.json',
      chunksKey: 'orders/b1/chunks/shard_0001.json',
      chunks: 2,
      rows: 20,
    },
  ],
};
const wanted = { cluster: 'orders', backup: 'b1', shardCount: 16 };
const entry = manifestShard(manifest, 'shard_0001');

describe('a manifest that does not match', () => {
  test.each([
    ['another backup', { backup: 'b2' }, "it is of backup 'b2' of cluster 'orders'"],
    ['another cluster', { cluster: 'users' }, "it is of backup 'b1' of cluster 'users'"],
    ['other shards', { shardCount: 8 }, 'it has 8 shards, the cluster has 16'],
  ])('%s', (_name, given, message) => {
    expect(() => {
      requireManifest({ ...manifest, ...given }, wanted);
    }).toThrow(message);
  });
  test('a shard that it lacks', () => {
    expect(() => manifestShard(manifest, 'shard_0002')).toThrow('it has no shard_0002 (it has shard_0001)');
  });
  test.each([
    ['a chunk too few', [chunk(0)], 'lists 1 chunks with 10 rows, the manifest 2 with 20'],
    ['other rows', [chunk(0), chunk(1, { rows: 11 })], 'lists 2 chunks with 21 rows'],
    ['another shard’s chunk', [chunk(0), chunk(1, { shard: 'shard_0002' })], 'of shard_0002, which is not shard_0001'],
    ['an object elsewhere', [chunk(0), chunk(1, { key: 'orders/b2/chunks/x' })], "lists 'orders/b2/chunks/x'"],
  ])('%s', (_name, chunks, message) => {
    expect(() => {
      requireChunkList(manifest, entry, chunks);
    }).toThrow(message);
  });
  test('says what to do', () => {
    expect(() => {
      requireChunkList(manifest, entry, []);
    }).toThrow(/mark the backup as damaged and start again/);
  });
  test('one that matches', () => {
    expect(() => {
      requireManifest(manifest, wanted);
      requireChunkList(manifest, entry, [chunk(0), chunk(1)]);
    }).not.toThrow();
  });
});

describe('whether rows of then fit into the tables of now', () => {
  const table = { schema: 's', table: 't', keyColumns: ['id'], columns: ['id', 'a'] };
  const described = (...tables: SchemaDescription['tables']): SchemaDescription => ({
    beforeRows: [],
    keys: [],
    indexes: [],
    afterRows: [],
    tables,
  });
  test.each([
    ['the same, in another order', described({ ...table, columns: ['a', 'id'] }), null],
    ['a table that is gone', described(), 'table s.t is gone since'],
    ['a table more', described(table, { ...table, table: 'u' }), 'table s.u was made since'],
    ['a column more', described({ ...table, columns: ['id', 'a', 'b'] }), 'table s.t has other columns since'],
    ['another key', described({ ...table, keyColumns: ['a'] }), 'table s.t has other columns since'],
  ])('%s', (_name, now, difference) => {
    expect(tablesDiffer(described(table), now)).toBe(difference);
  });
});

describe('the items of a load', () => {
  const place = { execution: 'e1', attempt: 1, shard: 'shard_0001' };

  test('a chunk whose object is missing or has another size is read from the survivor', () => {
    const chunks = [chunk(0), chunk(1), chunk(2)];
    const sizes = new Map([
      [chunks[0]?.key ?? '', 50],
      [chunks[1]?.key ?? '', 49],
    ]);
    const items = itemsFromBackup(chunks, sizes, place);
    expect(items.map((item) => item.chunk === null)).toEqual([false, true, true]);
    expect(items.map((item) => item.damage)).toEqual([
      null,
      `object '${chunks[1]?.key ?? ''}' has 49 bytes, written were 50`,
      `object '${chunks[2]?.key ?? ''}' is missing`,
    ]);
  });

  test('rows are loaded once an attempt, and again in the next', () => {
    const sizes = new Map([[chunk(0).key, 50]]);
    const ids = [1, 2].map((attempt) => itemsFromBackup([chunk(0)], sizes, { ...place, attempt })[0]?.loadId);
    expect(ids).toEqual(['e1/1/shard_0001/0', 'e1/2/shard_0001/0']);
  });

  test('all that read from survivors together keep to 20,000 rows/s', () => {
    for (const count of [1, 7, 32, 500]) {
      const ranges = Array.from({ length: count }, () => ({ range, columns: ['id'] }));
      const items = numbered(itemsFromSurvivor(ranges, place));
      const atOnce = items.slice(0, 32).reduce((sum, item) => sum + (item.rowsPerSecond ?? Infinity), 0);
      expect(atOnce).toBeLessThanOrEqual(20_000);
      expect(atOnce).toBeGreaterThan(19_000);
      // Each ends well within its call.
      const [first] = items;
      expect(survivorRowsPerChunk(1_000_000) / (first?.rowsPerSecond ?? 1)).toBeLessThanOrEqual(300);
    }
  });

  test('a range in place of a damaged chunk is not paced, nor are chunks', () => {
    const items = numbered(itemsFromBackup([chunk(0), chunk(1)], new Map([[chunk(0).key, 50]]), place));
    expect(items.map((item) => [item.number, item.rowsPerSecond])).toEqual([
      [0, null],
      [1, null],
    ]);
  });
});

describe('the rows of a snapshot', () => {
  const table = { schema: 's', table: 't', keyColumns: ['id'], columns: ['id', 'a'] };
  const now: SchemaDescription = {
    beforeRows: ['CREATE TABLE s.t'],
    keys: ['ALTER TABLE s.t ADD PRIMARY KEY (id)'],
    indexes: ['CREATE INDEX a ON s.t (a)'],
    afterRows: ['CREATE TRIGGER later'],
    tables: [table],
  };

  test('are gone on from where only something was added since', () => {
    expect(snapshotMisfit(now, now)).toBeNull();
    expect(snapshotMisfit({ ...now, indexes: [], afterRows: [] }, now)).toBeNull();
  });
  test.each<[string, Partial<SchemaDescription>, string]>([
    ['a table more', { tables: [table, { ...table, table: 'u' }] }, 'table s.u is gone since'],
    ['a table less', { tables: [] }, 'table s.t was made since'],
    ['other columns', { tables: [{ ...table, columns: ['id'] }] }, 'has other columns'],
    ['a trigger that is gone', { afterRows: ['CREATE TRIGGER gone'] }, 'no longer so: CREATE TRIGGER gone'],
  ])('are of no use with %s', (_what, then, words) => {
    expect(snapshotMisfit({ ...now, ...then }, now)).toContain(words);
  });
});

describe('notes of loads', () => {
  const note: LoadNote = { attempt: 1, number: 3, rows: 10, bytes: 50, source: 'backup' };

  test('a note says in its key what was loaded', () => {
    expect(loadNoteOf(`orders/runs/e1/loaded/${loadNoteName(note)}`)).toEqual(note);
    expect(loadNoteOf('orders/runs/e1/loaded/else')).toBeNull();
  });
  test('an item that was noted twice counts once; one that was loaded again counts again', () => {
    const notes = [note, { ...note, rows: 11 }, { ...note, attempt: 2, source: 'damaged' as const }];
    expect(sumOfNotes(notes)).toEqual({ rows: 21, bytes: 100, chunks: 2, damagedChunks: 1 });
  });
});

describe('what follows a comparison', () => {
  const equal = { shard: 'shard_0001', next: null, rows: 100, unequal: 0, differing: 0, unproved: 0 };
  const unequal = { ...equal, shard: 'shard_0002', unequal: 1, differing: 3, unproved: 1 };

  test('in sync: no row differs', () => {
    expect(decideAfterComparison([equal, equal], 1)).toMatchObject({ action: 'in sync', rows: 200 });
  });
  test.each([1, 2, 3])('round %d: unequal rows are repaired', (round) => {
    expect(decideAfterComparison([equal, unequal], round)).toMatchObject({ action: 'repair' });
  });
  test('after three repairs it is not proved, and says how much', () => {
    expect(decideAfterComparison([equal, unequal], 4)).toEqual({
      action: 'give up',
      rows: 200,
      reason: '3 of 200 rows are not equal (shard_0002: 3), 1 of them not proved different, after 3 repairs',
    });
  });
});

test('nothing is left out unless the local cloud says so', () => {
  expect(ablationsOf(undefined)).toEqual([]);
  expect(ablationsOf('')).toEqual([]);
  expect(ablationsOf('node-filter,passes,typo')).toEqual(['passes', 'node-filter']);
});
