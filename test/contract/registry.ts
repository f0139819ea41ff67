import { messageOf } from '../../core/errors';
import type { JsonObject } from '../../core/json';
import type { Change, Condition, Registry } from '../../core/ports/registry';
import { expectError } from './expect-error';
import { contractTest } from './gaps';

export interface RegistrySubject {
  /** An empty registry. */
  readonly registry: Registry;
  close(): Promise<void>;
}

const pk = 'CLUSTER#orders';
const at = (sk: string, ofPk = pk): { pk: string; sk: string } => ({ pk: ofPk, sk });
const put = (sk: string, value: JsonObject, when: Condition): Change => ({ kind: 'put', key: at(sk), value, when });
const anyway: Condition = { absentOrEquals: {} };

/** What a stand-in may lack. */
export type RegistryGap = 'missing is not null' | 'item of almost 400 KB';

/** What every `Registry` does, whatever keeps the items. */
export function describeRegistryContract(
  name: string,
  makeSubject: () => Promise<RegistrySubject>,
  gaps: readonly RegistryGap[] = [],
): void {
  describe(`Registry: ${name}`, () => {
    let subject: RegistrySubject;
    let registry: Registry;

    beforeEach(async () => {
      subject = await makeSubject();
      registry = subject.registry;
    });
    afterEach(async () => {
      await subject.close();
    });

    describe('reading', () => {
      test('gives null for an item that is not there', async () => {
        expect(await registry.read(at('META'))).toBeNull();
      });

      test('gives back every kind of value as it was written', async () => {
        const value = {
          text: 'größe 😀 "quoted"',
          empty: '',
          whole: 12,
          negative: -7,
          fraction: 0.1,
          timeMs: 1_790_000_000_123,
          yes: true,
          no: false,
          nothing: null,
          list: [1, 'two', null, [], {}, [[1]]],
          map: { inner: { deep: [] }, 'a key with spaces.and-dots': 1 },
          pk: 'an attribute of this name',
          sk: 'another',
          value: 'and a third',
          expiresAtMs: 5,
        };
        await registry.write([put('META', value, 'absent')]);
        expect(await registry.read(at('META'))).toEqual(value);
        expect(await registry.list(pk, '')).toEqual([{ pk, sk: 'META', value }]);
      });

      test('gives an item without attributes', async () => {
        await registry.write([put('EMPTY', {}, 'absent')]);
        expect(await registry.read(at('EMPTY'))).toEqual({});
      });

      test('gives a copy: changing it changes nothing', async () => {
        const value = { inner: { number: 1 } };
        await registry.write([put('META', value, 'absent')]);
        value.inner.number = 2;
        const first = (await registry.read(at('META'))) as unknown as typeof value;
        first.inner.number = 3;
        expect(await registry.read(at('META'))).toEqual({ inner: { number: 1 } });
      });

      test('lists the items of a prefix in the order of their bytes, and none of other partitions', async () => {
        const keys = ['NODE#10', 'NODE#9', 'NODE#Z', 'NODE#a', 'NODE#～', 'NODE#😀', 'NODEX', 'SHARD#1'];
        for (const sk of [...keys].reverse()) {
          await registry.write([put(sk, { sk }, 'absent')]);
        }
        await registry.write([
          { kind: 'put', key: at('NODE#10', 'CLUSTER#orders2'), value: { other: true }, when: 'absent' },
        ]);
        const list = async (prefix: string): Promise<readonly string[]> =>
          (await registry.list(pk, prefix)).map(({ sk }) => sk);
        expect(await list('NODE#')).toEqual(keys.slice(0, 6));
        expect(await list('')).toEqual(keys);
        expect(await list('SLOT#')).toEqual([]);
      });

      test('lists more than one page of DynamoDB holds', async () => {
        const value = { filler: 'x'.repeat(100_000) };
        const keys = Array.from({ length: 15 }, (_, number) => `BIG#${String(number).padStart(2, '0')}`);
        await registry.write(keys.map((sk) => put(sk, value, 'absent')));
        expect((await registry.list(pk, 'BIG#')).map(({ sk }) => sk)).toEqual(keys);
      });
    });

    describe('conditions', () => {
      const stored = {
        epoch: 7,
        state: 'in sync',
        follower: null,
        schemas: ['a', 'b'],
        fence: { kind: 'machine', n: 1 },
      };
      const cases: readonly (readonly [string, Condition, 'absent item' | 'stored item', boolean])[] = [
        ['absent', 'absent', 'absent item', true],
        ['absent', 'absent', 'stored item', false],
        ['it exists', { equals: {} }, 'absent item', false],
        ['it exists', { equals: {} }, 'stored item', true],
        ['equal numbers', { equals: { epoch: 7 } }, 'stored item', true],
        ['another number', { equals: { epoch: 8 } }, 'stored item', false],
        ['a number as text', { equals: { epoch: '7' } }, 'stored item', false],
        ['equal numbers', { equals: { epoch: 7 } }, 'absent item', false],
        ['all of several', { equals: { epoch: 7, state: 'in sync' } }, 'stored item', true],
        ['one of several', { equals: { epoch: 7, state: 'moving' } }, 'stored item', false],
        ['null where it is null', { equals: { follower: null } }, 'stored item', true],
        ['an equal list', { equals: { schemas: ['a', 'b'] } }, 'stored item', true],
        ['a list in another order', { equals: { schemas: ['b', 'a'] } }, 'stored item', false],
        ['an equal map', { equals: { fence: { n: 1, kind: 'machine' } } }, 'stored item', true],
        ['a part of a map', { equals: { fence: { kind: 'machine' } } }, 'stored item', false],
        ['absent or equal', { absentOrEquals: { epoch: 7 } }, 'absent item', true],
        ['absent or equal', { absentOrEquals: { epoch: 7 } }, 'stored item', true],
        ['absent or equal, with another number', { absentOrEquals: { epoch: 8 } }, 'stored item', false],
        ['absent or anything', { absentOrEquals: {} }, 'absent item', true],
        ['absent or anything', { absentOrEquals: {} }, 'stored item', true],
      ];

      test.each(cases)('%s: %j on an %s is %s', async (_what, when, which, expected) => {
        if (which === 'stored item') {
          await registry.write([put('SHARD#1', stored, 'absent')]);
        }
        const write = registry.write([put('SHARD#1', { written: true }, when)]);
        await (expected ? write : expectError(write, 'ConditionFailed', 'CLUSTER#orders', 'SHARD#1'));
        const unchanged = which === 'stored item' ? stored : null;
        expect(await registry.read(at('SHARD#1'))).toEqual(expected ? { written: true } : unchanged);
      });

      contractTest(gaps, 'missing is not null', 'a missing attribute is not null', async () => {
        await registry.write([put('SHARD#1', stored, 'absent')]);
        await expectError(
          registry.write([put('SHARD#1', { written: true }, { equals: { unknown: null } })]),
          'ConditionFailed',
          'SHARD#1',
        );
      });

      test('a put replaces the item: no attribute of the old one stays', async () => {
        await registry.write([put('META', { a: 1, b: 2 }, 'absent')]);
        await registry.write([put('META', { b: 3 }, { equals: { b: 2 } })]);
        expect(await registry.read(at('META'))).toEqual({ b: 3 });
      });

      test('a remove is conditional too', async () => {
        await registry.write([put('META', { epoch: 1 }, 'absent')]);
        await expectError(
          registry.write([{ kind: 'remove', key: at('META'), when: { equals: { epoch: 2 } } }]),
          'ConditionFailed',
          'META',
        );
        await registry.write([{ kind: 'remove', key: at('META'), when: { equals: { epoch: 1 } } }]);
        expect(await registry.read(at('META'))).toBeNull();
        await expectError(
          registry.write([{ kind: 'remove', key: at('META'), when: { equals: {} } }]),
          'ConditionFailed',
        );
        await registry.write([{ kind: 'remove', key: at('META'), when: 'absent' }]);
      });

      test.each(['epoch', 'state', 'name', 'value', 'size', 'a.b', 'with space', '#n', ':v'])(
        'an attribute may be called %j, a reserved word or not',
        async (attribute) => {
          await registry.write([put('META', { [attribute]: 'here' }, 'absent')]);
          await registry.write([put('META', { [attribute]: 'there' }, { equals: { [attribute]: 'here' } })]);
          expect(await registry.read(at('META'))).toEqual({ [attribute]: 'there' });
        },
      );
    });

    describe('several changes', () => {
      test('happen together', async () => {
        await registry.write([put('META', { epoch: 1 }, 'absent'), put('OLD', {}, 'absent')]);
        await registry.write([
          put('META', { epoch: 2 }, { equals: { epoch: 1 } }),
          put('LEASE', { holder: 'x' }, 'absent'),
          { kind: 'remove', key: at('OLD'), when: { equals: {} } },
          { kind: 'check', key: at('NODE#1'), when: 'absent' },
        ]);
        expect((await registry.list(pk, '')).map(({ sk, value }) => [sk, value])).toEqual([
          ['LEASE', { holder: 'x' }],
          ['META', { epoch: 2 }],
        ]);
      });

      test('happen not at all when one condition fails; the message names that item', async () => {
        await registry.write([put('META', { epoch: 1 }, 'absent')]);
        const message = await expectError(
          registry.write([
            put('META', { epoch: 2 }, { equals: { epoch: 1 } }),
            put('LEASE', {}, 'absent'),
            { kind: 'check', key: at('SHARD#9'), when: { equals: { epoch: 3 } } },
          ]),
          'ConditionFailed',
          'CLUSTER#orders',
          'SHARD#9',
        );
        expect(message).not.toContain('LEASE');
        expect(await registry.read(at('META'))).toEqual({ epoch: 1 });
        expect(await registry.read(at('LEASE'))).toBeNull();
      });

      test('a check changes nothing', async () => {
        await registry.write([put('META', { epoch: 1 }, 'absent')]);
        await registry.write([{ kind: 'check', key: at('META'), when: { equals: { epoch: 1 } } }]);
        await expectError(
          registry.write([{ kind: 'check', key: at('META'), when: 'absent' }]),
          'ConditionFailed',
          'META',
        );
        expect(await registry.read(at('META'))).toEqual({ epoch: 1 });
      });

      test('may be 100, and no more', async () => {
        const changes = (count: number): Change[] =>
          Array.from({ length: count }, (_, number) => put(`ITEM#${number}`, { number }, 'absent'));
        await expectError(registry.write(changes(101)), 'InvalidInput', '100', '101');
        expect(await registry.list(pk, '')).toEqual([]);
        await registry.write(changes(100));
        expect(await registry.list(pk, 'ITEM#')).toHaveLength(100);
      });

      test('are at least one', async () => {
        await expectError(registry.write([]), 'InvalidInput', '100');
      });

      test('are of different items', async () => {
        await expectError(
          registry.write([put('META', { a: 1 }, anyway), { kind: 'check', key: at('META'), when: 'absent' }]),
          'InvalidInput',
          'META',
        );
        expect(await registry.read(at('META'))).toBeNull();
      });

      test('refuse an item of more than 400 KB, and then all others', async () => {
        await expectError(
          registry.write([put('SMALL', {}, 'absent'), put('BIG', { filler: 'x'.repeat(409_600) }, 'absent')]),
          'InvalidInput',
          'BIG',
        );
        expect(await registry.list(pk, '')).toEqual([]);
      });

      contractTest(gaps, 'item of almost 400 KB', 'take an item of almost 400 KB', async () => {
        const fits = put('FITS', { filler: 'x'.repeat(409_000) }, 'absent');
        const outcome = await registry.write([fits]).then(() => 'written', messageOf);
        expect(outcome).toBe('written');
      });
    });

    describe('at the same time', () => {
      test('one of several writers wins', async () => {
        await registry.write([put('META', { epoch: 0 }, 'absent')]);
        const writers = Array.from({ length: 8 }, (_, writer) =>
          registry.write([put('META', { epoch: 1, writer }, { equals: { epoch: 0 } })]).then(
            () => writer,
            (thrown: unknown) => {
              // A store may also say that two writes met.
              expect(['ConditionFailed', 'RegistryThrottled']).toContain((thrown as Error).name);
              return null;
            },
          ),
        );
        const winners = (await Promise.all(writers)).filter((writer) => writer !== null);
        expect(winners).toHaveLength(1);
        expect(await registry.read(at('META'))).toEqual({ epoch: 1, writer: winners[0] });
      });

      test('a counter raised on condition loses nothing', async () => {
        await registry.write([put('META', { epoch: 0 }, 'absent')]);
        const raise = async (): Promise<void> => {
          for (let done = false; !done;) {
            const epoch = (await registry.read(at('META')))?.['epoch'] as number;
            done = await registry.write([put('META', { epoch: epoch + 1 }, { equals: { epoch } })]).then(
              () => true,
              () => false,
            );
          }
        };
        await Promise.all(Array.from({ length: 5 }, raise));
        expect(await registry.read(at('META'))).toEqual({ epoch: 5 });
      });
    });

    test('an item with a time to live is there until then, and that time is no attribute of it', async () => {
      const expiresAtMs = Date.now() + 3_600_000;
      await registry.write([{ kind: 'put', key: at('STEP#1'), value: { ok: true }, when: 'absent', expiresAtMs }]);
      expect(await registry.read(at('STEP#1'))).toEqual({ ok: true });
      expect(await registry.list(pk, 'STEP#')).toEqual([{ pk, sk: 'STEP#1', value: { ok: true } }]);
    });

    test('an empty sort key is refused', async () => {
      await expectError(registry.write([put('', {}, 'absent')]), 'InvalidInput', 'sk');
    });
  });
}
