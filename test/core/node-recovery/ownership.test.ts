import fc from 'fast-check';
import type { Shard } from '../../../core/cluster/items';
import {
  decideFollowerLoss,
  decidePromotion,
  followerPatienceMs,
  followName,
  joinName,
  ownedBy,
  shardAfterFollowerLoss,
  shardAfterJoining,
  shardAfterMove,
  shardAfterPromotion,
  shardAfterSuccession,
  shardInSync,
  shardMoving,
  survivorOf,
  synchronousNames,
} from '../../../core/node-recovery/ownership';
import type { Verdict, Witness } from '../../../core/node-recovery/witnesses';

const shard: Shard = {
  id: 'shard_0007',
  schemas: ['shard_0007'],
  epoch: 12,
  primary: 'node-3',
  follower: 'node-2',
  version: 4,
  state: 'in sync',
  fence: null,
};
const fence = { kind: 'follower' as const, api: 'subscription s0007e12 disabled, no worker left', probes: [] };

const agent = (node: string, verdict: Verdict): Witness => ({ name: `agent ${node}`, verdict, detail: '' });
const says = (...witnesses: readonly Witness[]) => ({ shard, by: 'node-2', witnesses, witnessesNeeded: 2 });

describe('a follower', () => {
  it('promotes itself when two witnesses call the primary failed', () => {
    expect(decidePromotion(says(agent('node-2', 'failed'), agent('node-4', 'failed')))).toEqual({
      action: 'promote',
      reason: 'agent node-2 and agent node-4 call node-3 failed',
    });
  });

  it('waits while it is the only one', () => {
    expect(decidePromotion(says(agent('node-2', 'failed'), agent('node-4', null)))).toEqual({
      action: 'wait',
      reason: 'only agent node-2 calls node-3 failed; 2 witnesses are needed',
    });
  });

  it('waits while anyone gets an answer from the primary', () => {
    const seen = says(agent('node-1', 'alive'), agent('node-2', 'failed'), agent('node-4', 'failed'));
    expect(decidePromotion(seen)).toEqual({
      action: 'wait',
      reason: 'agent node-2 and agent node-4 call node-3 failed, but it answers agent node-1',
    });
  });

  it.each(['single copy', 'restoring', 'moving'] as const)('is never promoted while the shard is %s', (state) => {
    const seen = says(agent('node-2', 'failed'), agent('node-4', 'failed'));
    expect(decidePromotion({ ...seen, shard: { ...shard, state } }).action).toBe('none');
  });

  it('leaves shards alone that it does not follow', () => {
    const seen = says(agent('node-2', 'failed'), agent('node-4', 'failed'));
    expect(decidePromotion({ ...seen, by: 'node-4' }).action).toBe('none');
  });
});

describe('a primary', () => {
  const seen = { ...says(agent('node-3', 'failed')), by: 'node-3' };

  it('drops its follower at once when a second witness agrees', () => {
    const both = { ...seen, witnesses: [agent('node-3', 'failed'), agent('node-4', 'failed')], silentForMs: 400 };
    expect(decideFollowerLoss(both)).toEqual({
      action: 'drop follower',
      reason: 'agent node-3 and agent node-4 call node-2 failed',
    });
  });

  it('waits a little when it is alone', () => {
    expect(decideFollowerLoss({ ...seen, silentForMs: followerPatienceMs - 1 }).action).toBe('wait');
  });

  it('does not stall for ever on a cut that only it sees', () => {
    const cut = { ...seen, witnesses: [agent('node-3', 'failed'), agent('node-4', 'alive')] };
    const decided = decideFollowerLoss({ ...cut, silentForMs: followerPatienceMs });
    expect(decided.action).toBe('drop follower');
    expect(decided.reason).toContain('node-3 has not reached node-2 for 5 s');
  });
});

test('promotion needs two that say failed and nobody that says alive', () => {
  const verdict = fc.constantFrom<Verdict>('failed', 'alive', null);
  fc.assert(
    fc.property(fc.array(verdict, { maxLength: 6 }), fc.integer({ min: 2, max: 3 }), (verdicts, witnessesNeeded) => {
      const witnesses = verdicts.map((each, index) => agent(`node-${index}`, each));
      const { action } = decidePromotion({ shard, by: 'node-2', witnesses, witnessesNeeded });
      const failed = verdicts.filter((each) => each === 'failed').length;
      expect(action === 'promote').toBe(failed >= witnessesNeeded && !verdicts.includes('alive'));
    }),
  );
});

describe('the item of a shard', () => {
  it('records the fence and who was lost when its follower takes over', () => {
    expect(shardAfterPromotion(shard, 'node-2', fence, 1_000)).toEqual({
      ...shard,
      epoch: 13,
      version: 5,
      primary: 'node-2',
      follower: null,
      state: 'single copy',
      fence: { ...fence, atMs: 1_000 },
      lostOwner: 'node-3',
    });
  });

  it('keeps the lost owner when the node that was to take its place is lost too', () => {
    const joining = shardAfterJoining(shardAfterFollowerLoss(shard), 'node-2-r1');
    expect(shardAfterFollowerLoss(joining).lostOwner).toBe('node-2');
  });

  it('does not let a joining follower be promoted, but lists it', () => {
    const joining = shardAfterJoining(shardAfterFollowerLoss(shard), 'node-2-r1');
    expect(synchronousNames('node-3', [joining])).toEqual(['s0007e13']);
    const witnesses = [agent('node-4', 'failed'), agent('node-1', 'failed')];
    expect(decidePromotion({ shard: joining, by: 'node-2-r1', witnesses, witnessesNeeded: 2 }).action).toBe('none');
  });

  it('has a follower at every moment while another takes its place', () => {
    const succeeded = shardAfterSuccession(shard, 'node-2-r1');
    expect(succeeded).toMatchObject({ primary: 'node-3', follower: 'node-2-r1', state: 'restoring', epoch: 13 });
    expect(followName(succeeded)).toBe(joinName(shard));
    expect(joinName(shardAfterFollowerLoss(shard))).toBe(followName(succeeded));
    expect(() => shardAfterSuccession(succeeded, 'node-2-r2')).toThrow("shard_0007 is 'restoring'");
  });

  it('forgets the lost owner when it is in sync anew', () => {
    const again = shardInSync(shardAfterJoining(shardAfterFollowerLoss(shard), 'node-2-r1'));
    expect(again).not.toHaveProperty('lostOwner');
    expect(ownedBy(again, 'node-2')).toBe(false);
  });

  it('is lost by the whole line of a node, until it has two owners again', () => {
    const inSync = shardInSync(shardAfterJoining(shardAfterFollowerLoss(shard), 'node-2-r1'));
    const lostAgain = shardAfterFollowerLoss(inSync);
    expect(lostAgain.lostOwner).toBe('node-2-r1');
    expect(ownedBy(lostAgain, 'node-2')).toBe(true);
    expect(ownedBy(lostAgain, 'node-2-r1')).toBe(true);
    expect(ownedBy(lostAgain, 'node-20')).toBe(false);
  });

  it('is found by the node that owned it, before and after a promotion', () => {
    const promoted = shardAfterPromotion(shard, 'node-2', fence, 1_000);
    expect(ownedBy(shard, 'node-3')).toBe(true);
    expect(ownedBy(promoted, 'node-3')).toBe(true);
    expect(survivorOf(shard, 'node-3')).toBe('node-2');
    expect(survivorOf(promoted, 'node-3')).toBe('node-2');
    expect(survivorOf(promoted, 'node-2')).toBeNull();
  });
});

test('whatever happens to a shard, a name is listed for its follower and never used twice with other owners', () => {
  const kinds = ['promote', 'lose', 'join', 'sync', 'moving', 'move', 'back', 'succeed'] as const;
  const moves = fc.array(fc.constantFrom(...kinds), { maxLength: 40 });
  fc.assert(
    fc.property(moves, (story) => {
      let now = shard;
      let nodes = 10;
      const pairOf = new Map<string, string>([[followName(shard), 'node-3>node-2']]);
      for (const step of story) {
        const before = now;
        if (step === 'promote' && now.state === 'in sync' && now.follower !== null) {
          now = shardAfterPromotion(now, now.follower, fence, 0);
        } else if (step === 'lose' && now.follower !== null) {
          now = shardAfterFollowerLoss(now);
        } else if (step === 'join' && now.follower === null) {
          now = shardAfterJoining(now, `node-${nodes++}`);
        } else if (step === 'sync' && now.state === 'restoring') {
          now = shardInSync(now);
        } else if (step === 'moving' && now.state === 'in sync') {
          now = shardMoving(now);
        } else if (step === 'move' && now.state === 'moving') {
          now = shardAfterMove(now);
        } else if (step === 'succeed' && now.state === 'in sync') {
          now = shardAfterSuccession(now, `node-${nodes++}`);
        } else if (step === 'back' && now.state === 'moving') {
          now = shardInSync(now);
        }
        expect(now.epoch).toBeGreaterThanOrEqual(before.epoch);
        expect(now.version).toBe(now === before ? before.version : before.version + 1);
        const listed = synchronousNames(now.primary, [now]);
        expect(listed).toEqual(now.follower === null ? [] : [followName(now)]);
        for (const name of listed) {
          const pair = `${now.primary}>${now.follower ?? ''}`;
          expect(pairOf.get(name) ?? pair).toBe(pair);
          pairOf.set(name, pair);
        }
      }
    }),
  );
});
