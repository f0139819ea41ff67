import fc from 'fast-check';
import { judgeNode, type NodeSeen } from '../../../core/node-recovery/judge-node';
import { triggerWitness } from '../../../core/node-recovery/trigger';
import {
  agentWitnesses,
  machineWitness,
  managedWitness,
  type Opinion,
  type Verdict,
  type Witness,
} from '../../../core/node-recovery/witnesses';
import type { DatabaseProbe } from '../../../core/ports/database-engine';
import type { MachineObservation } from '../../../core/ports/machines';

const refused: DatabaseProbe = { verdict: 'refused', detail: 'connection refused', tookMs: 1 };
const answers: DatabaseProbe = { verdict: 'answers', detail: 'PostgreSQL 18', tookMs: 3 };
const quiet: Witness = { name: 'machine API', verdict: null, detail: 'machine i-3 is running' };
const seen: NodeSeen = {
  nodeId: 'node-3',
  trigger: triggerWitness('agent:node-2'),
  observed: [quiet],
  probe: refused,
  witnessesNeeded: 2,
};

describe('a node', () => {
  it('is not failed on one word', () => {
    expect(judgeNode(seen)).toMatchObject({ verdict: 'unknown', reason: 'only agent node-2 calls node-3 failed' });
  });

  it('is failed when a second witness agrees and SQL is silent', () => {
    const observed = [{ name: 'agent node-4', verdict: 'failed' as const, detail: 'refused 2 times' }, quiet];
    expect(judgeNode({ ...seen, observed })).toMatchObject({
      verdict: 'failed',
      reason: 'agent node-2 and agent node-4 call node-3 failed, and its SQL port refuses',
    });
  });

  it('is alive when it answers SQL, whatever others say', () => {
    const observed = [machineWitness(null)];
    expect(judgeNode({ ...seen, observed, probe: answers }).verdict).toBe('alive');
  });

  it('is alive when another site gets an answer that this step does not get', () => {
    const observed = [
      { name: 'agent node-4', verdict: 'alive' as const, detail: 'answered 1 s ago' },
      machineWitness(null),
    ];
    expect(judgeNode({ ...seen, observed })).toMatchObject({ verdict: 'alive' });
  });

  it('is not failed because the same agent says so twice', () => {
    const observed = [{ name: 'agent node-2', verdict: 'failed' as const, detail: 'refused 9 times' }, quiet];
    expect(judgeNode({ ...seen, observed }).verdict).toBe('unknown');
  });

  it('is not failed by a check of the machine and what the machine API says of it: that is one voice', () => {
    const failing = machineWitness({
      machineId: 'i-3',
      state: 'running',
      healthy: false,
      address: null,
      site: 'a',
    });
    const twice = { ...seen, trigger: triggerWitness('machine'), observed: [failing] };
    expect(judgeNode(twice)).toMatchObject({ verdict: 'unknown', reason: 'only machine API calls node-3 failed' });
  });

  it('is not failed by an event of the machine API that the machine API takes back', () => {
    const agent4 = { name: 'agent node-4', verdict: 'failed' as const, detail: '' };
    const takenBack = { ...seen, trigger: triggerWitness('machine'), observed: [agent4, quiet] };
    expect(judgeNode(takenBack)).toMatchObject({ verdict: 'unknown', reason: 'only agent node-4 calls node-3 failed' });
  });
});

test('a failed verdict always has enough different voices, no answer over SQL, and nobody who got one', () => {
  const verdict = fc.constantFrom<Verdict>('failed', 'alive', null);
  const witness = fc.record({
    name: fc.constantFrom('agent node-1', 'agent node-2', 'agent node-4', 'machine API'),
    verdict,
    detail: fc.constant(''),
  });
  const trigger = fc.constantFrom('manual', 'alarm', 'machine', 'agent:node-2').map(triggerWitness);
  const probe = fc.constantFrom<DatabaseProbe>(refused, answers, { verdict: 'timed out', detail: '', tookMs: 400 });
  fc.assert(
    fc.property(
      trigger,
      fc.uniqueArray(witness, { selector: (each) => each.name }),
      probe,
      (triggered, observed, probed) => {
        const judged = judgeNode({ ...seen, trigger: triggered, observed, probe: probed });
        const voices = new Set(
          [triggered, ...observed].filter((each) => each.verdict === 'failed').map((each) => each.name),
        );
        const enough =
          voices.size >= 2 && probed.verdict !== 'answers' && !observed.some((each) => each.verdict === 'alive');
        // Never failed without all of that; a trigger whose own voice took its word back may leave it unknown.
        expect(judged.verdict === 'failed' && !enough).toBe(false);
        expect(judged.witnesses.map((each) => each.name)).toEqual([
          ...new Set(judged.witnesses.map((each) => each.name)),
        ]);
      },
    ),
  );
});

describe('agents', () => {
  const siteOf = new Map([
    ['node-1', 'a'],
    ['node-2', 'b'],
    ['node-3', 'a'],
    ['node-4', 'b'],
  ]);
  const about = { nodeId: 'node-3', site: 'a' };
  const opinion = (by: string, verdict: Verdict, atMs: number): Opinion => ({
    by,
    about: 'node-3',
    verdict,
    detail: by,
    atMs,
  });

  it('of the same site have no vote', () => {
    expect(agentWitnesses([opinion('node-1', 'failed', 100_000)], about, siteOf, 100_000)).toEqual([]);
  });

  it('that were not heard for 10 s have no vote', () => {
    const [witness] = agentWitnesses([opinion('node-2', 'failed', 100_000)], about, siteOf, 110_001);
    expect(witness).toEqual({ name: 'agent node-2', verdict: null, detail: 'has not been heard for 10 s' });
  });

  it('that saw it alive before somebody called it failed have no vote', () => {
    const opinions = [opinion('node-2', 'failed', 100_000), opinion('node-4', 'alive', 99_000)];
    expect(agentWitnesses(opinions, about, siteOf, 100_500).map((each) => each.verdict)).toEqual(['failed', null]);
  });

  it('that see it alive after that have one', () => {
    const opinions = [opinion('node-2', 'failed', 100_000), opinion('node-4', 'alive', 100_100)];
    expect(agentWitnesses(opinions, about, siteOf, 100_500).map((each) => each.verdict)).toEqual(['failed', 'alive']);
  });
});

describe('the machine API', () => {
  const running: MachineObservation = { machineId: 'i-3', state: 'running', healthy: true, address: null, site: 'a' };

  it.each<[string, MachineObservation | null, Verdict]>([
    ['no such machine', null, 'failed'],
    ['stopped', { ...running, state: 'stopped' }, 'failed'],
    ['terminated', { ...running, state: 'terminated' }, 'failed'],
    ['fails its checks', { ...running, healthy: false }, 'failed'],
    ['healthy, which says nothing of its database', running, null],
    ['not checked yet', { ...running, healthy: null }, null],
    ['starting', { ...running, state: 'starting', healthy: null }, null],
  ])('%s', (_what, observation, verdict) => {
    expect(machineWitness(observation).verdict).toBe(verdict);
  });

  it.each([
    ['available', null],
    ['rebooting', null],
    ['failed', 'failed'],
    ['stopped', 'failed'],
  ] as const)('of a managed instance: %s', (state, verdict) => {
    const instance = { instanceIdentifier: 'db-3', state, host: null, port: null, site: null };
    expect(managedWitness(instance).verdict).toBe(verdict);
  });
});
