import fc from 'fast-check';
import { compress, decompress, maxRawBytes } from '../../adapters/codec';

describe('codec', () => {
  test('gives back what was compressed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (bytes) => {
        const raw = Buffer.from(bytes);
        expect((await decompress(await compress(raw), raw.length)).equals(raw)).toBe(true);
      }),
    );
  });

  test('the same bytes are stored the same way, so that a repeated write has the same hash', async () => {
    const raw = Buffer.from('a row\n'.repeat(1_000));
    expect((await compress(raw)).equals(await compress(raw))).toBe(true);
  });

  test('keeps nothing of what it gave out', async () => {
    const raw = Buffer.alloc(4_194_304, 'a row of a table\n');
    const stored = await compress(raw);
    await decompress(stored, raw.length);
    const before = process.memoryUsage().rss;
    for (let turn = 0; turn < 80; turn += 1) {
      await decompress(stored, raw.length);
    }
    const keptBytes = process.memoryUsage().rss - before;
    expect(keptBytes).toBeLessThan(40 * raw.length);
  });

  test('makes rows much smaller', async () => {
    const raw = Buffer.from(Array.from({ length: 1_000 }, (_, id) => `${id}\tcustomer ${id}\topen\n`).join(''));
    expect((await compress(raw)).length).toBeLessThan(raw.length / 2);
  });

  test('refuses bytes that claim another size than was written, before it takes memory for them', async () => {
    const stored = await compress(Buffer.from('a row\n'));
    stored.writeUInt32LE(0xffff_ffff, 0);
    await expect(decompress(stored, 6)).rejects.toMatchObject({
      name: 'ChunkDamaged',
      message: expect.stringContaining('claims 4294967295 bytes where 6 are expected') as unknown,
    });
  });

  test('refuses a size that so few bytes can not hold, even where it is expected', async () => {
    const stored = Buffer.alloc(20);
    stored.writeUInt32LE(100_000_000, 0);
    await expect(decompress(stored, 100_000_000)).rejects.toMatchObject({ name: 'ChunkDamaged' });
    stored.writeUInt32LE(maxRawBytes + 1, 0);
    await expect(decompress(stored, maxRawBytes + 1)).rejects.toMatchObject({ name: 'ChunkDamaged' });
  });

  test.each([0, 1, 3])('refuses an object of %d bytes', async (length) => {
    await expect(decompress(Buffer.alloc(length), 0)).rejects.toMatchObject({ name: 'ChunkDamaged' });
  });

  test('never gives more or fewer bytes than were written, whatever bit flips', async () => {
    const raw = Buffer.from(Array.from({ length: 50 }, (_, id) => `${id}\tvalue ${id % 7}\n`).join(''));
    const stored = await compress(raw);
    await fc.assert(
      fc.asyncProperty(fc.nat(stored.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = Buffer.from(stored);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        // Without a hash a changed literal goes unnoticed; the size never does.
        const got = await decompress(damaged, raw.length).then(
          (bytes) => bytes.length,
          (thrown: unknown) => (thrown as Error).name,
        );
        expect([raw.length, 'ChunkDamaged']).toContain(got);
      }),
      { numRuns: 300 },
    );
  });
});
