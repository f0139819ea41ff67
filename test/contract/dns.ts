import type { Dns, DnsRecord } from '../../core/ports/surroundings';
import { expectError } from './expect-error';
import { contractTest, eventually } from './gaps';

export interface DnsSubject {
  readonly dns: Dns;
  /** The zone's name; it holds no record of these tests. */
  readonly zone: string;
  close(): Promise<void>;
}

/** What a stand-in may lack. */
export type DnsGap = 'delete needs exact values' | 'create fails if it exists' | 'all or none' | 'alias stands alone';

/** What every `Dns` does, whoever keeps the zone. */
export function describeDnsContract(
  name: string,
  makeSubject: () => Promise<DnsSubject>,
  gaps: readonly DnsGap[] = [],
): void {
  describe(`Dns: ${name}`, () => {
    let subject: DnsSubject;
    let dns: Dns;

    beforeEach(async () => {
      subject = await makeSubject();
      dns = subject.dns;
    });
    afterEach(async () => {
      await subject.close();
    });

    const record = (changes: Partial<DnsRecord> = {}): DnsRecord => ({
      name: `orders-1.${subject.zone}`,
      type: 'A',
      ttlSeconds: 5,
      values: ['127.0.0.1'],
      ...changes,
    });

    test('reads null where there is no record', async () => {
      expect(await dns.read(`nobody.${subject.zone}`, 'A')).toBeNull();
    });

    test('creates a record and reads it back', async () => {
      await dns.change([{ action: 'create', record: record() }]);
      expect(await dns.read(record().name, 'A')).toEqual(record());
      expect(await dns.read(record().name, 'TXT')).toBeNull();
      expect(await dns.read(`2.${subject.zone}`, 'A')).toBeNull();
    });

    test.each<Pick<DnsRecord, 'type' | 'values'>>([
      { type: 'A', values: ['127.0.0.1', '127.0.0.2'] },
      { type: 'CNAME', values: ['orders-1.db.example.com'] },
      { type: 'TXT', values: ['epoch=12'] },
      { type: 'TXT', values: ['a "quoted" text', 'and a back\\slash'] },
    ])('keeps $type $values', async (changes) => {
      await dns.change([{ action: 'create', record: record(changes) }]);
      const found = await dns.read(record().name, changes.type);
      expect({ ...found, values: [...(found?.values ?? [])].sort() }).toEqual({
        ...record(changes),
        values: [...changes.values].sort(),
      });
    });

    test('an upsert creates, and replaces', async () => {
      await dns.change([{ action: 'upsert', record: record() }]);
      await dns.change([{ action: 'upsert', record: record({ values: ['127.0.0.9'], ttlSeconds: 1 }) }]);
      expect(await dns.read(record().name, 'A')).toEqual(record({ values: ['127.0.0.9'], ttlSeconds: 1 }));
    });

    test('a change is in sync after a while', async () => {
      const { changeId } = await dns.change([{ action: 'upsert', record: record() }]);
      await expect(
        eventually(
          () => dns.changeState(changeId),
          (state) => state === 'in sync',
        ),
      ).resolves.toBe('in sync');
    });

    contractTest(gaps, 'create fails if it exists', 'a create fails where there is a record', async () => {
      await dns.change([{ action: 'create', record: record() }]);
      await expectError(
        dns.change([{ action: 'create', record: record({ values: ['127.0.0.9'] }) }]),
        'ConditionFailed',
        record().name,
      );
      expect(await dns.read(record().name, 'A')).toEqual(record());
    });

    test('a delete removes exactly this record', async () => {
      await dns.change([{ action: 'create', record: record() }]);
      await dns.change([{ action: 'delete', record: record() }]);
      expect(await dns.read(record().name, 'A')).toBeNull();
    });

    contractTest(
      gaps,
      'delete needs exact values',
      'a delete fails for other values or another TTL, and where there is none',
      async () => {
        await expectError(dns.change([{ action: 'delete', record: record() }]), 'ConditionFailed', record().name);
        await dns.change([{ action: 'create', record: record() }]);
        await expectError(
          dns.change([{ action: 'delete', record: record({ values: ['127.0.0.9'] }) }]),
          'ConditionFailed',
          record().name,
        );
        await expectError(
          dns.change([{ action: 'delete', record: record({ ttlSeconds: 6 }) }]),
          'ConditionFailed',
          record().name,
        );
        expect(await dns.read(record().name, 'A')).toEqual(record());
      },
    );

    contractTest(gaps, 'all or none', 'makes all changes of a batch or none', async () => {
      const second = record({ name: `orders-2.${subject.zone}` });
      const failing = dns.change([
        { action: 'create', record: second },
        { action: 'delete', record: record() },
      ]);
      await expectError(failing, 'ConditionFailed', record().name);
      expect(await dns.read(second.name, 'A')).toBeNull();
    });

    test('replaces a record in one batch by a delete and a create', async () => {
      await dns.change([{ action: 'create', record: record() }]);
      await dns.change([
        { action: 'delete', record: record() },
        { action: 'create', record: record({ type: 'CNAME', values: ['orders-9.example.com'] }) },
      ]);
      expect(await dns.read(record().name, 'A')).toBeNull();
      expect(await dns.read(record().name, 'CNAME')).toMatchObject({ values: ['orders-9.example.com'] });
    });

    contractTest(gaps, 'alias stands alone', 'refuses an alias beside an address', async () => {
      await dns.change([{ action: 'create', record: record() }]);
      const alias = record({ type: 'CNAME', values: ['orders-9.example.com'] });
      await expectError(dns.change([{ action: 'upsert', record: alias }]), 'ConditionFailed', record().name);
    });
  });
}
