import type { LaunchOrder, MachineObservation, Machines } from '../../core/ports/machines';
import { expectError } from './expect-error';
import { contractTest, eventually } from './gaps';

export interface MachinesSubject {
  readonly machines: Machines;
  /** A cluster without machines. */
  readonly cluster: string;
  /** Two sites of it. */
  readonly sites: readonly [string, string];
  /** A group without rules. */
  readonly quarantineGroup: string;
  /** Leaves a site without room for another machine. */
  exhaust(site: string): Promise<void>;
  /** Takes a snapshot of a running machine's volume. @returns its id */
  snapshot(machineId: string): Promise<string>;
  /** Whether nobody on the network can reach the machine. */
  isolated(machineId: string): Promise<boolean>;
  close(): Promise<void>;
}

/** What a stand-in may lack. */
export type MachinesGap =
  'capacity' | 'client tokens' | 'token with other parameters' | 'health' | 'restore' | 'site check';

/** What every `Machines` does, whoever rents them out. */
export function describeMachinesContract(
  name: string,
  makeSubject: () => Promise<MachinesSubject>,
  gaps: readonly MachinesGap[] = [],
): void {
  describe(`Machines: ${name}`, () => {
    let subject: MachinesSubject;
    let machines: Machines;
    let tokens = 0;

    beforeEach(async () => {
      subject = await makeSubject();
      machines = subject.machines;
    });
    afterEach(async () => {
      await subject.close();
    });

    const order = (changes: Partial<LaunchOrder> = {}): LaunchOrder => {
      tokens += 1;
      return {
        cluster: subject.cluster,
        nodeId: 'orders-1',
        site: subject.sites[0],
        clientToken: `token-${tokens}`,
        launchTemplate: null,
        volumeSnapshot: null,
        ...changes,
      };
    };
    const until = (machineId: string, state: MachineObservation['state']): Promise<MachineObservation | null> =>
      eventually(
        () => machines.observe(machineId),
        (seen) => seen?.state === state,
      );
    const running = async (changes: Partial<LaunchOrder> = {}): Promise<MachineObservation> => {
      const { machineId } = await machines.launch(order(changes));
      const seen = await until(machineId, 'running');
      if (seen === null) {
        throw new Error(`machine '${machineId}' vanished`);
      }
      return seen;
    };
    const listed = async (): Promise<readonly string[]> =>
      (await machines.list(subject.cluster)).map((machine) => machine.machineId).sort();

    test('launches a machine that comes to run, with an address, in its site', async () => {
      const launched = await machines.launch(order());
      expect(['starting', 'running']).toContain(launched.state);
      expect(launched.site).toBe(subject.sites[0]);
      const seen = await until(launched.machineId, 'running');
      expect(seen).toMatchObject({ machineId: launched.machineId, site: subject.sites[0] });
      expect(seen?.address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      expect(await listed()).toEqual([launched.machineId]);
    });

    test('gives each machine an address of its own', async () => {
      const [one, other] = [await running(), await running({ nodeId: 'orders-2', site: subject.sites[1] })];
      expect(one.address).not.toBe(other.address);
      expect(other.site).toBe(subject.sites[1]);
      expect(await listed()).toEqual([one.machineId, other.machineId].sort());
    });

    contractTest(gaps, 'client tokens', 'launches once for the same token', async () => {
      const same = order();
      const answers = await Promise.all([machines.launch(same), machines.launch(same), machines.launch(same)]);
      expect(new Set(answers.map((answer) => answer.machineId)).size).toBe(1);
      expect(await eventually(listed, (found) => found.length > 0)).toHaveLength(1);
      await until(answers[0].machineId, 'running');
      expect((await machines.launch(same)).machineId).toBe(answers[0].machineId);
    });

    contractTest(gaps, 'token with other parameters', 'refuses a token that has launched something else', async () => {
      const first = order();
      await machines.launch(first);
      await expectError(machines.launch({ ...first, site: subject.sites[1] }), 'ApiRefused', first.clientToken);
    });

    contractTest(gaps, 'site check', 'refuses a site that the cluster does not have', async () => {
      await expectError(machines.launch(order({ site: 'nowhere' })), 'ApiRefused', 'nowhere');
      expect(await listed()).toEqual([]);
    });

    contractTest(gaps, 'capacity', 'says CapacityShort where a site has none, and launches in another', async () => {
      await subject.exhaust(subject.sites[0]);
      await expectError(machines.launch(order()), 'CapacityShort', subject.sites[0]);
      await expect(running({ site: subject.sites[1] })).resolves.toMatchObject({ site: subject.sites[1] });
    });

    contractTest(gaps, 'health', 'does not know the health of a machine at first, then calls it healthy', async () => {
      const launched = await machines.launch(order());
      expect(launched.healthy).toBeNull();
      const healthy = await eventually(
        () => machines.observe(launched.machineId),
        (seen) => seen?.healthy === true,
      );
      expect(healthy?.state).toBe('running');
    });

    test('knows no machine that was never launched', async () => {
      expect(await machines.observe('i-0123456789abcdef0')).toBeNull();
      expect(await machines.list('nobody')).toEqual([]);
      await expectError(machines.stop('i-0123456789abcdef0'), 'NotFound', 'i-0123456789abcdef0');
      await machines.terminate('i-0123456789abcdef0');
    });

    test('stops a machine, and minds no second order', async () => {
      const { machineId } = await running();
      await machines.stop(machineId);
      await machines.stop(machineId);
      const stopped = await until(machineId, 'stopped');
      expect(stopped?.healthy).toBeNull();
      await machines.stop(machineId);
      expect(await listed()).toEqual([machineId]);
    });

    test('terminates a machine in any state, and minds no second order', async () => {
      const [one, other] = [await running(), await running({ nodeId: 'orders-2' })];
      await machines.stop(one.machineId);
      await machines.terminate(one.machineId);
      await machines.terminate(one.machineId);
      await machines.terminate(other.machineId);
      for (const { machineId } of [one, other]) {
        const seen = await eventually(
          () => machines.observe(machineId),
          (found) => found === null || found.state === 'terminated',
        );
        expect(seen?.healthy ?? null).toBeNull();
      }
      expect(await listed()).toEqual([]);
    });

    test('cuts a machine off the network, and no other', async () => {
      const [one, other] = [await running(), await running({ nodeId: 'orders-2' })];
      await machines.quarantine(one.machineId, subject.quarantineGroup);
      await machines.quarantine(one.machineId, subject.quarantineGroup);
      expect(await subject.isolated(one.machineId)).toBe(true);
      expect(await subject.isolated(other.machineId)).toBe(false);
      expect((await machines.observe(one.machineId))?.state).toBe('running');
    });

    test('finds the newest snapshot of a cluster, or none', async () => {
      expect(await machines.newestSnapshot(subject.cluster)).toBeNull();
      const { machineId } = await running();
      await subject.snapshot(machineId);
      const beforeMs = Date.now();
      const newest = await subject.snapshot(machineId);
      const found = await eventually(
        () => machines.newestSnapshot(subject.cluster),
        (snapshot) => snapshot?.snapshotId === newest,
      );
      expect(found?.nodeId).toBe('orders-1');
      // AWS gives whole seconds.
      expect(found?.takenAtMs).toBeGreaterThanOrEqual(beforeMs - 60_000);
      expect(found?.takenAtMs).toBeLessThanOrEqual(Date.now() + 1_000);
      expect(await machines.newestSnapshot('nobody')).toBeNull();
    });

    test('takes a snapshot once for a token, and tells when it can be used', async () => {
      const { machineId } = await running();
      const order = { cluster: subject.cluster, machineId, clientToken: 'snapshot-1' };
      const { snapshotId } = await machines.takeSnapshot(order);
      expect(await machines.takeSnapshot(order)).toEqual({ snapshotId });
      await eventually(
        () => machines.snapshotState(snapshotId),
        (state) => state === 'usable',
      );
      const newest = await eventually(
        () => machines.newestSnapshot(subject.cluster),
        (snapshot) => snapshot !== null,
      );
      expect(newest).toMatchObject({ snapshotId, nodeId: 'orders-1' });
      const other = await machines.takeSnapshot({ ...order, clientToken: 'snapshot-2' });
      expect(other.snapshotId).not.toBe(snapshotId);
    });

    test('knows no snapshot that was never taken, and takes none of machines of others', async () => {
      expect(await machines.snapshotState('snap-0123456789abcdef0')).toBeNull();
      const nobody = { cluster: subject.cluster, machineId: 'i-0123456789abcdef0', clientToken: 'snapshot-1' };
      await expectError(machines.takeSnapshot(nobody), 'NotFound', nobody.machineId);
      const { machineId } = await running();
      const order = { cluster: 'others', machineId, clientToken: 'snapshot-2' };
      await expectError(machines.takeSnapshot(order), 'ApiRefused', machineId, 'others');
    });

    contractTest(gaps, 'restore', 'launches from a snapshot, and refuses one that does not exist', async () => {
      const { machineId } = await running();
      const volumeSnapshot = await subject.snapshot(machineId);
      await expect(running({ nodeId: 'orders-2', volumeSnapshot })).resolves.toMatchObject({ state: 'running' });
      await expectError(
        machines.launch(order({ volumeSnapshot: 'snap-0123456789abcdef0' })),
        'ApiRefused',
        'snap-0123456789abcdef0',
      );
    });
  });
}
