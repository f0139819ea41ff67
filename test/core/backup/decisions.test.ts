import fc from 'fast-check';
import { chunksOf, noteName, noteOf, type ChunkNote } from '../../../core/backup/chunk-notes';
import { decideBackup } from '../../../core/backup/decide-backup';
import { decideLineages, lineageBackupName } from '../../../core/backup/decide-lineages';
import { intoGroups } from '../../../core/backup/groups';
import { BackupKeys } from '../../../core/backup/object-keys';
import { decideRetention, neededSegments, newestUsable } from '../../../core/backup/retention';
import { captureSlotName } from '../../../core/backup/slot-name';
import type { BackupItem, ClusterMeta, Shard, SlotItem } from '../../../core/cluster/items';
import type { Manifest } from '../../../core/cluster/manifest';

const dayMs = 24 * 3_600_000;
const nowMs = Date.UTC(2026, 2, 1);

function backup(id: string, ageDays: number, state: BackupItem['state'] = 'verified'): BackupItem {
  const startedAtMs = nowMs - ageDays * dayMs;
  const finishedAtMs = state === 'running' ? null : startedAtMs + 60_000;
  return {
    id,
    manifestKey: `orders/${id}/manifest.json`,
    state,
    shardCount: 16,
    startedAtMs,
    finishedAtMs,
    damage: null,
  };
}

function shard(id: string, primary: string, fencedAtMs: number | null = null): Shard {
  const fence = fencedAtMs === null ? null : { kind: 'machine' as const, api: '', probes: [], atMs: fencedAtMs };
  return { id, schemas: [id], epoch: 3, primary, follower: null, version: 1, state: 'in sync', fence };
}

function slot(of: string, nodeId: string, openedAt = '0/10'): SlotItem {
  return { name: `c-${of}-${nodeId}`, shard: of, epoch: 3, nodeId, openedAt, capturedTo: openedAt };
}

describe('retention', () => {
  const policy = { keepDays: 14, nowMs };

  test('old backups go, the newest verified one stays however old it is', () => {
    const all = [backup('old', 30), backup('older', 40), backup('young', 3, 'damaged')];
    const decision = decideRetention(all, policy);
    expect(decision.remove.map(({ id }) => id)).toEqual(['older']);
    expect(decision.reason).toBe('older ended more than 14 days ago');
  });

  test('a running backup is left alone', () => {
    expect(decideRetention([backup('a', 60, 'running'), backup('b', 1)], policy).remove).toEqual([]);
  });

  test('there is always something to restore from, if there was', () => {
    const states = fc.constantFrom<BackupItem['state']>('running', 'complete', 'verified', 'damaged');
    const backups = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), states));
    fc.assert(
      fc.property(backups, (given) => {
        const all = given.map(([ageDays, state], index) => backup(`b${index}`, ageDays, state));
        const { remove, keep } = decideRetention(all, policy);
        expect([...remove, ...keep].length).toBe(all.length);
        expect(newestUsable(keep)).toEqual(newestUsable(all));
        expect(remove.every((item) => (item.finishedAtMs ?? nowMs) < nowMs - 14 * dayMs)).toBe(true);
        expect(remove.some((item) => item.state === 'running')).toBe(false);
      }),
    );
  });

  test('segments are needed from the oldest kept backup on, and from where a slot was opened', () => {
    const manifest = (changesFrom: string): Manifest => ({
      format: 1,
      cluster: 'orders',
      backup: 'b',
      startedAtMs: 0,
      finishedAtMs: 0,
      shardCount: 2,
      shards: [
        {
          shard: 's1',
          epoch: 3,
          primary: 'n',
          slot: 'c',
          changesFrom,
          schemaKey: '',
          chunksKey: '',
          chunks: 0,
          rows: 0,
        },
      ],
    });
    const needed = neededSegments([manifest('0/50'), manifest('0/40')], [slot('s1', 'n', '0/60'), slot('s2', 'n')]);
    expect([...needed]).toEqual([
      ['s1/3', '0/40'],
      ['s2/3', '0/10'],
    ]);
  });
});

describe('whether a backup begins', () => {
  const meta: ClusterMeta = { name: 'orders', engine: 'postgresql', layout: 'sharded', shardCount: 16, epoch: 1 };
  const facts = { backup: 'new', meta, shards: [shard('shard_0001', 'n')], backups: [], alive: new Set<string>() };

  test('it does', () => {
    expect(decideBackup(facts)).toMatchObject({ action: 'back up', abandoned: [] });
  });
  test('not while another one is made', () => {
    const backups = [backup('other', 0, 'running'), backup('new', 0, 'running')];
    expect(decideBackup({ ...facts, backups, alive: new Set(['other']) })).toEqual({
      action: 'none',
      reason: "execution 'other' is making a backup of cluster 'orders'",
      abandoned: [],
    });
  });
  test('one that nobody works on any more is abandoned, and in nobody’s way', () => {
    expect(decideBackup({ ...facts, backups: [backup('dead', 0, 'running')] })).toMatchObject({
      action: 'back up',
      abandoned: ['dead'],
    });
  });
  test('a replicated cluster has none', () => {
    expect(decideBackup({ ...facts, meta: { ...meta, layout: 'replicated' } })).toMatchObject({ action: 'none' });
  });
  test.each(['changes', 'runs'])("a backup named '%s' would lie among other things", (name) => {
    expect(decideBackup({ ...facts, backup: name })).toMatchObject({ action: 'refuse' });
  });
});

describe('whether a full backup has to begin new lineages', () => {
  const shards = [shard('shard_0001', 'node-1'), shard('shard_0002', 'node-2')];
  const facts = { shards, slots: [slot('shard_0001', 'node-1')], recovering: false, nowMs };

  test('a shard whose changes are captured nowhere', () => {
    expect(decideLineages(facts)).toEqual({
      action: 'start a full backup',
      reason: 'the changes of shard_0002 are captured nowhere',
    });
  });
  test('a slot on a node that is not the primary counts for nothing', () => {
    const slots = [...facts.slots, slot('shard_0002', 'node-1')];
    expect(decideLineages({ ...facts, slots }).action).toBe('start a full backup');
  });
  test('all are captured', () => {
    expect(decideLineages({ ...facts, slots: [...facts.slots, slot('shard_0002', 'node-2')] }).action).toBe('none');
  });
  test('a recovery comes first, also one that has not begun yet', () => {
    expect(decideLineages({ ...facts, recovering: true }).action).toBe('none');
    const promoted = [shards[0] ?? shard('', ''), shard('shard_0002', 'node-2', nowMs - 60_000)];
    expect(decideLineages({ ...facts, shards: promoted }).action).toBe('none');
    expect(decideLineages({ ...facts, shards: promoted, nowMs: nowMs + 600_000 }).action).toBe('start a full backup');
  });
  test('at most one an hour', () => {
    expect(lineageBackupName('orders', nowMs)).toBe('orders-lineage-20260301-00');
    expect(lineageBackupName('orders', nowMs + 3_599_999)).toBe(lineageBackupName('orders', nowMs));
    expect(lineageBackupName('orders', nowMs + 3_600_000)).not.toBe(lineageBackupName('orders', nowMs));
  });
});

test('things are dealt out evenly into at most 40 groups, each once', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(), { maxLength: 300 }), (things) => {
      const groups = intoGroups(things);
      expect(groups.length).toBe(Math.min(40, things.length));
      expect(groups.flat().sort()).toEqual([...things].sort());
      const sizes = groups.map((group) => group.length);
      expect(Math.max(0, ...sizes) - Math.min(...sizes, Infinity)).toBeLessThanOrEqual(1);
    }),
  );
});

test('a capture slot is named by shard, epoch and backup, as a server allows it', () => {
  const name = captureSlotName('shard_0007', 12, 'orders-schedule-20260301-0200');
  expect(name).toMatch(/^c0007e12b[0-9a-f]{6}$/);
  expect(captureSlotName('shard_0007', 12, 'orders-schedule-20260301-0200')).toBe(name);
  expect(captureSlotName('shard_0007', 12, 'orders-schedule-20260308-0200')).not.toBe(name);
});

describe('notes of chunks', () => {
  const note: ChunkNote = {
    number: 7,
    rows: 50_000,
    rawBytes: 4_000_000,
    storedBytes: 900_000,
    sha256: 'a'.repeat(64),
  };
  const keys = new BackupKeys('orders', 'b1');
  const range = { schema: 's', table: 't', keyColumns: ['id'], lowKey: null, highKey: null };
  const planned = {
    shard: 'shard_0001',
    number: 7,
    key: keys.chunk('shard_0001', range, 7, 'lz4'),
    range,
    columns: ['id'],
    readFrom: 'node-1',
    tried: true,
  };

  test('a note says in its key what was written', () => {
    const key = `${keys.noteFolder('written', 'shard_0001')}${noteName(note)}`;
    expect(key.startsWith(keys.notesOf(planned))).toBe(true);
    expect(noteOf(key)).toEqual(note);
    expect(noteOf('orders/b1/notes/written/shard_0001/x')).toBeNull();
  });

  test('a table’s name makes no folders', () => {
    expect(keys.chunk('shard_0001', { schema: 'a/b', table: '../c' }, 3, 'lz4')).toBe(
      'orders/b1/chunks/shard_0001/a%2Fb...%2Fc/000003.copy.lz4',
    );
  });

  test('a manifest lists every planned chunk as it was written', () => {
    expect(chunksOf([planned], [note])).toEqual([
      {
        shard: 'shard_0001',
        range,
        key: planned.key,
        columns: ['id'],
        rows: 50_000,
        rawBytes: 4_000_000,
        storedBytes: 900_000,
        sha256: note.sha256,
      },
    ]);
  });

  test.each([
    ['0 times', []],
    ['2 times', [note, { ...note, rows: 1 }]],
  ])('a chunk that was noted %s is no chunk', (times, notes) => {
    expect(() => chunksOf([planned], notes)).toThrow(`noted as written ${times}`);
  });
});
