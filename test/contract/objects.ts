import type { Objects, StoredObject } from '../../core/ports/objects';
import { expectError } from './expect-error';

export interface ObjectsSubject {
  /** An empty bucket. */
  readonly objects: Objects;
  close(): Promise<void>;
}

/** What every `Objects` does, whatever keeps the bytes. */
export function describeObjectsContract(name: string, makeSubject: () => Promise<ObjectsSubject>): void {
  describe(`Objects: ${name}`, () => {
    let subject: ObjectsSubject;
    let objects: Objects;

    beforeEach(async () => {
      subject = await makeSubject();
      objects = subject.objects;
    });
    afterEach(async () => {
      await subject.close();
    });

    const list = async (prefix: string): Promise<readonly string[]> =>
      (await listed(objects, prefix)).map(({ key }) => key);

    test('gives back the bytes that were written', async () => {
      const body = Buffer.from([0, 1, 2, 0xff, 0xfe, 10, 13]);
      await objects.write('orders/b1/manifest.json', body);
      expect((await objects.read('orders/b1/manifest.json')).equals(body)).toBe(true);
    });

    test('keeps an empty object', async () => {
      await objects.write('empty', Buffer.alloc(0));
      expect(await objects.read('empty')).toHaveLength(0);
      expect(await objects.head('empty')).toMatchObject({ sizeBytes: 0 });
    });

    test('says NotFound, with the key, for an object that is not there', async () => {
      await expectError(objects.read('orders/none'), 'NotFound', 'orders/none');
      expect(await objects.head('orders/none')).toBeNull();
    });

    test('says size and time of an object', async () => {
      const beforeMs = Date.now();
      await objects.write('a', Buffer.from('12345'), { contentType: 'text/plain' });
      const head = await objects.head('a');
      expect(head).toMatchObject({ key: 'a', sizeBytes: 5 });
      // S3 gives whole seconds.
      expect(head?.writtenAtMs).toBeGreaterThanOrEqual(beforeMs - 1_000);
      expect(head?.writtenAtMs).toBeLessThanOrEqual(Date.now() + 1_000);
    });

    test('replaces an object', async () => {
      await objects.write('a', Buffer.from('long before'));
      await objects.write('a', Buffer.from('after'));
      expect((await objects.read('a')).toString()).toBe('after');
    });

    test('with ifAbsent, writes only where there is none', async () => {
      await objects.write('a', Buffer.from('first'), { ifAbsent: true });
      await expectError(objects.write('a', Buffer.from('second'), { ifAbsent: true }), 'ConditionFailed', 'a');
      expect((await objects.read('a')).toString()).toBe('first');
    });

    test('lets one of several writers win an absent key', async () => {
      const writers = Array.from({ length: 8 }, (_, writer) =>
        objects.write('race', Buffer.from(String(writer)), { ifAbsent: true }).then(
          () => writer,
          (thrown: unknown) => {
            expect(thrown).toMatchObject({ name: 'ConditionFailed' });
            return null;
          },
        ),
      );
      const winners = (await Promise.all(writers)).filter((writer) => writer !== null);
      expect(winners).toHaveLength(1);
      expect((await objects.read('race')).toString()).toBe(String(winners[0]));
    });

    test('lists the keys of a prefix, in the order of their bytes', async () => {
      // '-' and '.' come before '/', capitals before small letters, and U+FF5E before U+1F600 in bytes but not in UTF-16.
      const keys = ['a', 'a-b', 'a.b', 'a/', 'a/b', 'a/b/c', 'aB', 'ab', 'z', '～', '😀'];
      for (const key of [...keys].reverse()) {
        await objects.write(key, Buffer.from(key));
      }
      expect(await list('')).toEqual(keys);
      expect(await list('a/')).toEqual(['a/', 'a/b', 'a/b/c']);
      expect(await list('a/b')).toEqual(['a/b', 'a/b/c']);
      expect(await list('a')).toEqual(keys.filter((key) => key.startsWith('a')));
      expect(await list('nothing/')).toEqual([]);
    });

    test('lists size and time', async () => {
      await objects.write('p/one', Buffer.from('1'));
      await objects.write('p/two', Buffer.from('22'));
      const found = await listed(objects, 'p/');
      expect(found.map(({ key, sizeBytes }) => [key, sizeBytes])).toEqual([
        ['p/one', 1],
        ['p/two', 2],
      ]);
      expect(found.every(({ writtenAtMs }) => Math.abs(writtenAtMs - Date.now()) < 120_000)).toBe(true);
    });

    test.each([
      ['dots', '../../etc/passwd'],
      ['a dot', './a/./b/.'],
      ['empty segments', '/a//b/'],
      ['percent and plus signs', 'a%2Fb+c d%'],
      ['a name like a folder', 'orders.d'],
      ['controls and quotes', 'a\tb"c\'d\\e:f*g?h<i>j|k'],
      ['other writings', 'größe/数据/😀'],
      ['1,024 bytes in one segment', 'é'.repeat(512)],
      ['a query', 'a?b=c&d=e#f'],
    ])('keeps a key with %s apart', async (_what, key) => {
      await objects.write(key, Buffer.from(key));
      expect((await objects.read(key)).toString()).toBe(key);
      expect(await objects.head(key)).toMatchObject({ key });
      expect(await list('')).toEqual([key]);
      await objects.remove([key]);
      expect(await list('')).toEqual([]);
    });

    test('keeps keys apart that differ little', async () => {
      const keys = ['A', 'a', 'a.d', 'a.d/b', 'a/b', 'a%2fb', 'é', 'e\u0301'];
      for (const key of keys) {
        await objects.write(key, Buffer.from(key));
      }
      for (const key of keys) {
        expect((await objects.read(key)).toString()).toBe(key);
      }
      expect(await list('')).toHaveLength(keys.length);
    });

    test('removes objects, and minds no absent one', async () => {
      await objects.write('a', Buffer.from('a'));
      await objects.write('b', Buffer.from('b'));
      await objects.remove(['a', 'none']);
      expect(await list('')).toEqual(['b']);
      await objects.remove([]);
      await objects.write('a', Buffer.from('again'), { ifAbsent: true });
      expect(await list('')).toEqual(['a', 'b']);
    });

    test('removes more objects than one call of S3 takes', async () => {
      await objects.write('kept', Buffer.from('kept'));
      await objects.remove(Array.from({ length: 1_001 }, (_, number) => `absent-${number}`));
      expect(await list('')).toEqual(['kept']);
    });

    test('refuses an empty key and one of more than 1,024 bytes', async () => {
      await expectError(objects.write('', Buffer.from('x')), 'InvalidInput', 'key');
      await expectError(objects.write('é'.repeat(513), Buffer.from('x')), 'InvalidInput', '1024');
    });
  });
}

async function listed(objects: Objects, prefix: string): Promise<readonly StoredObject[]> {
  const found: StoredObject[] = [];
  for await (const object of objects.list(prefix)) {
    found.push(object);
  }
  return found;
}
