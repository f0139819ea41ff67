import fc from 'fast-check';
import { folderOfPrefix, keyOfPath, pathOfKey } from '../../../local/objects/key-path';

const anyKey = fc
  .array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('/', '.', '..', '.d', '~', '%', '!', 'A', 'a')), {
    minLength: 1,
  })
  .map((parts) => parts.join(''))
  .filter((key) => key !== '');

test('a path gives its key back', () => {
  fc.assert(
    fc.property(anyKey, (key) => {
      expect(keyOfPath(pathOfKey(key))).toBe(key);
    }),
  );
});

test('no path leads out of its folder, is hidden, or is too long for a file system', () => {
  fc.assert(
    fc.property(anyKey, (key) => {
      for (const part of pathOfKey(key).split('/')) {
        expect(part).toMatch(/^[^./][^/]*$/);
        expect(part.length).toBeLessThanOrEqual(255);
      }
    }),
  );
});

test('a piece of a long segment does not begin with a dot', () => {
  const key = `${'a'.repeat(200)}..b`;
  expect(pathOfKey(key).split('/')[1]).toBe('%2e.b');
  expect(keyOfPath(pathOfKey(key))).toBe(key);
});

test('the file of one key is never a folder of another, also where the file system ignores case', () => {
  fc.assert(
    fc.property(anyKey, anyKey, (one, other) => {
      fc.pre(one !== other);
      const [left, right] = [pathOfKey(one).toLowerCase(), pathOfKey(other).toLowerCase()];
      expect(left).not.toBe(right);
      expect(right.startsWith(`${left}/`)).toBe(false);
    }),
  );
});

test('every key of a prefix lies in the folder of the prefix', () => {
  fc.assert(
    fc.property(anyKey, fc.nat(), (key, length) => {
      const folder = folderOfPrefix(key.slice(0, length % (key.length + 1)));
      expect(folder === '' || pathOfKey(key).startsWith(`${folder}/`)).toBe(true);
    }),
  );
});

test('ordinary keys stay readable', () => {
  expect(pathOfKey('orders/b1/manifest.json')).toBe('orders.d/b1.d/manifest.json');
  expect(folderOfPrefix('orders/b1/chu')).toBe('orders.d/b1.d');
  expect(folderOfPrefix('ord')).toBe('');
});
