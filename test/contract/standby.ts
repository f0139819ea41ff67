import { comparePositions } from '../../core/cluster/position';
import type { DatabaseAddress, DatabaseEngine, StandbyState } from '../../core/ports/database-engine';
import { expectError } from './expect-error';
import { eventually } from './gaps';

export interface StandbySubject {
  readonly databases: DatabaseEngine;
  /** A primary that holds `shard_0000`, at epoch 3 and writable. */
  readonly primary: DatabaseAddress;
  /** Standbys made of its data, which receive nobody's log yet. */
  readonly standbys: readonly [DatabaseAddress, DatabaseAddress];
  /** A client's write. @throws when it is not acknowledged */
  write(address: DatabaseAddress, key: string): Promise<void>;
  /** The keys of all rows. */
  keys(address: DatabaseAddress): Promise<readonly string[]>;
  /** Ends a server's processes. */
  kill(address: DatabaseAddress): Promise<void>;
  close(): Promise<void>;
}

const asPrimary: StandbyState = { standby: false, streaming: false, receivedTo: null, replayedTo: null };

/** What every engine's `DatabaseStandby` does. The tests are one story: each goes on where the one before ended. */
export function describeStandbyContract(name: string, makeSubject: () => Promise<StandbySubject>): void {
  describe(`DatabaseStandby: ${name}`, () => {
    let subject: StandbySubject;
    let databases: DatabaseEngine;

    beforeAll(async () => {
      subject = await makeSubject();
      databases = subject.databases;
    });
    afterAll(async () => {
      await subject.close();
    });

    const until = (address: DatabaseAddress, wanted: (state: StandbyState) => boolean): Promise<StandbyState> =>
      eventually(() => databases.standbyState(address), wanted);

    /** Writes to a primary and waits until its standby shows it. */
    const follows = async (standby: DatabaseAddress, primary: DatabaseAddress, key: string): Promise<void> => {
      await subject.write(primary, key);
      const position = await databases.position(primary);
      const reached = await until(
        standby,
        ({ replayedTo }) => replayedTo !== null && comparePositions(replayedTo, position) >= 0,
      );
      expect(comparePositions(reached.receivedTo ?? '0/0', reached.replayedTo ?? '0/0')).toBeGreaterThanOrEqual(0);
      expect(reached).toMatchObject({ standby: true, streaming: true });
      expect(await subject.keys(standby)).toContain(key);
    };

    test('a primary has no positions of a standby, is promoted already, and stands behind nobody', async () => {
      const { primary, standbys } = subject;
      expect(await databases.standbyState(primary)).toEqual(asPrimary);
      await databases.promoteStandby(primary, { timeoutMs: 10_000 });
      await expectError(
        databases.standBehind(primary, { name: 'rejoin_node_1', primary: standbys[0] }),
        'SqlFailed',
        primary.nodeId,
        'is a primary',
      );
    });

    test('a standby receives nothing by itself, and accepts no writes', async () => {
      const [standby] = subject.standbys;
      expect(await databases.standbyState(standby)).toMatchObject({ standby: true, streaming: false });
      await subject.write(subject.primary, 'early');
      expect(await subject.keys(standby)).not.toContain('early');
      await expect(subject.write(standby, 'refused')).rejects.toThrow();
      expect(await databases.shards(standby)).toEqual([{ shard: 'shard_0000', epoch: 3, writable: false }]);
      await expectError(databases.openShard(standby, { shard: 'shard_0000', epoch: 4 }), 'SqlFailed');
    });

    test('standbys follow their primary, however often they are told to', async () => {
      const { primary, standbys } = subject;
      for (const [number, standby] of standbys.entries()) {
        const order = { name: `rejoin_node_${number + 2}`, primary };
        await databases.standBehind(standby, order);
        await databases.standBehind(standby, order);
        await until(standby, ({ streaming }) => streaming);
        await follows(standby, primary, `followed by ${number}`);
      }
      expect(await subject.keys(standbys[0])).toContain('early');
    });

    test('a standby whose primary died keeps what it has, and is promoted once', async () => {
      const { primary, standbys } = subject;
      const [candidate] = standbys;
      await follows(candidate, primary, 'last');
      await subject.kill(primary);
      const alone = await until(candidate, ({ streaming }) => !streaming);
      expect(alone.replayedTo).toBe(alone.receivedTo);
      await databases.promoteStandby(candidate, { timeoutMs: 30_000 });
      await databases.promoteStandby(candidate, { timeoutMs: 30_000 });
      expect(await databases.standbyState(candidate)).toEqual(asPrimary);
      await databases.openShard(candidate, { shard: 'shard_0000', epoch: 4 });
      await subject.write(candidate, 'first of the new one');
      expect(await subject.keys(candidate)).toContain('last');
    });

    test('the other standby goes on behind the new primary', async () => {
      const [candidate, other] = subject.standbys;
      await databases.standBehind(other, { name: 'rejoin_node_3', primary: candidate });
      await until(other, ({ streaming }) => streaming);
      await follows(other, candidate, 'after the promotion');
      expect(await subject.keys(other)).toContain('first of the new one');
      expect(await databases.shards(other)).toEqual([{ shard: 'shard_0000', epoch: 4, writable: false }]);
    });

    test('a standby that is forgotten streams no more, and one that was never there is no error', async () => {
      const [candidate, other] = subject.standbys;
      for (const name of ['rejoin_node_3', 'rejoin_node_3', 'rejoin_node_9']) {
        await databases.forgetStandby(candidate, name);
      }
      await until(other, ({ streaming }) => !streaming);
      await subject.write(candidate, 'unseen');
      expect(await subject.keys(other)).not.toContain('unseen');
    });

    test('a server that is dead tells nothing', async () => {
      await expectError(databases.standbyState(subject.primary), 'SqlUnavailable', subject.primary.nodeId);
    });
  });
}
