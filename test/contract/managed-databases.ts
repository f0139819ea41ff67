import type { ManagedDatabases, ManagedObservation, ManagedOrder } from '../../core/ports/managed-databases';
import { expectError } from './expect-error';
import { contractTest, eventually } from './gaps';

export interface ManagedDatabasesSubject {
  readonly managed: ManagedDatabases;
  readonly cluster: string;
  readonly site: string;
  /** An available instance of the cluster. */
  readonly existing: string;
  /** A group without rules. */
  readonly quarantineGroup: string;
  /** Takes a snapshot of an available instance. @returns its id */
  snapshot(instanceIdentifier: string): Promise<string>;
  /** Makes `stop` impossible, as a read replica does. */
  forbidStop(instanceIdentifier: string): Promise<void>;
  /** Whether nobody on the network can reach the instance. */
  isolated(instanceIdentifier: string): Promise<boolean>;
  close(): Promise<void>;
}

/** What a stand-in may lack. */
export type ManagedDatabasesGap = 'refused stop' | 'restore' | 'state check';

/** What every `ManagedDatabases` does, whoever runs them. */
export function describeManagedDatabasesContract(
  name: string,
  makeSubject: () => Promise<ManagedDatabasesSubject>,
  gaps: readonly ManagedDatabasesGap[] = [],
): void {
  describe(`ManagedDatabases: ${name}`, () => {
    let subject: ManagedDatabasesSubject;
    let managed: ManagedDatabases;

    beforeEach(async () => {
      subject = await makeSubject();
      managed = subject.managed;
    });
    afterEach(async () => {
      await subject.close();
    });

    const order = (changes: Partial<ManagedOrder> = {}): ManagedOrder => ({
      cluster: subject.cluster,
      nodeId: 'orders-2',
      site: subject.site,
      instanceIdentifier: 'orders-2-new',
      like: subject.existing,
      snapshotId: null,
      quarantineGroup: subject.quarantineGroup,
      ...changes,
    });
    const until = (identifier: string, state: ManagedObservation['state']): Promise<ManagedObservation | null> =>
      eventually(
        () => managed.observe(identifier),
        (seen) => seen?.state === state,
      );

    test('tells where an available instance is', async () => {
      const seen = await managed.observe(subject.existing);
      expect(seen).toMatchObject({ instanceIdentifier: subject.existing, state: 'available', site: subject.site });
      expect(seen?.host).toEqual(expect.any(String));
      expect(seen?.port).toEqual(expect.any(Number));
    });

    test('knows no instance that was never created', async () => {
      expect(await managed.observe('nobody')).toBeNull();
      expect(await managed.snapshots('nobody')).toEqual([]);
      await managed.remove('nobody');
      await expectError(managed.stop('nobody'), 'NotFound', 'nobody');
    });

    test('creates an empty instance in quarantine, once for the same identifier, and releases it', async () => {
      const first = await managed.create(order());
      expect(first.instanceIdentifier).toBe('orders-2-new');
      await expect(managed.create(order())).resolves.toMatchObject({ instanceIdentifier: 'orders-2-new' });
      const seen = await until('orders-2-new', 'available');
      expect(seen).toMatchObject({ site: subject.site, port: expect.any(Number) as number });
      expect(await subject.isolated('orders-2-new')).toBe(true);
      await managed.release('orders-2-new', subject.existing);
      expect(await subject.isolated('orders-2-new')).toBe(false);
    });

    test('refuses to create one like an instance that does not exist', async () => {
      await expectError(managed.create(order({ like: 'nobody' })), 'NotFound', 'nobody');
      expect(await managed.observe('orders-2-new')).toBeNull();
    });

    test('lists snapshots, the newest first', async () => {
      expect(await managed.snapshots(subject.existing)).toEqual([]);
      const [first, second] = [await subject.snapshot(subject.existing), await subject.snapshot(subject.existing)];
      const found = await eventually(
        () => managed.snapshots(subject.existing),
        (snapshots) => snapshots.length === 2,
      );
      expect(found.map((snapshot) => snapshot.snapshotId)).toEqual([second, first]);
      expect(found[0]?.engineVersion).toMatch(/^\d+/);
    });

    contractTest(gaps, 'restore', 'restores a snapshot, and refuses one that does not exist', async () => {
      const snapshotId = await subject.snapshot(subject.existing);
      await expectError(managed.create(order({ snapshotId: 'no-such-snapshot' })), 'ApiRefused', 'no-such-snapshot');
      await managed.create(order({ snapshotId }));
      await until('orders-2-new', 'available');
      expect(await subject.isolated('orders-2-new')).toBe(true);
    });

    test('stops an instance, and minds no second order', async () => {
      await managed.stop(subject.existing);
      await managed.stop(subject.existing);
      expect(await until(subject.existing, 'stopped')).toMatchObject({ site: subject.site });
      await managed.stop(subject.existing);
    });

    contractTest(gaps, 'refused stop', 'refuses to stop one that can’t be stopped', async () => {
      await subject.forbidStop(subject.existing);
      await expectError(managed.stop(subject.existing), 'ApiRefused', subject.existing);
      await expect(managed.observe(subject.existing)).resolves.toMatchObject({ state: 'available' });
    });

    contractTest(gaps, 'state check', 'refuses to stop one that is not available yet', async () => {
      await managed.create(order());
      await expectError(managed.stop('orders-2-new'), 'ApiRefused', 'orders-2-new');
    });

    test('isolates an instance, which goes on, can still be stopped, and can be released', async () => {
      await managed.isolate(subject.existing, subject.quarantineGroup);
      await managed.isolate(subject.existing, subject.quarantineGroup);
      expect(await subject.isolated(subject.existing)).toBe(true);
      await until(subject.existing, 'available');
      await managed.stop(subject.existing);
      await until(subject.existing, 'stopped');
      expect(await subject.isolated(subject.existing)).toBe(true);
      await expectError(managed.isolate('nobody', subject.quarantineGroup), 'NotFound', 'nobody');
    });

    test('quarantines an instance, which comes back unreachable', async () => {
      await managed.quarantine(subject.existing, subject.quarantineGroup);
      expect(await subject.isolated(subject.existing)).toBe(true);
      await until(subject.existing, 'available');
      expect(await subject.isolated(subject.existing)).toBe(true);
    });

    test('removes an instance, and minds no second order', async () => {
      await managed.remove(subject.existing);
      await managed.remove(subject.existing);
      const gone = await eventually(
        () => managed.observe(subject.existing),
        (seen) => seen === null,
      );
      expect(gone).toBeNull();
    });
  });
}
