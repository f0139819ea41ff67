import type { Execution } from '../../../local/states/execution';
import { cluster, type SimulatedCluster } from '../../support/simulated-cluster';

/** What must hold after every recovery, however it ended. */
export async function expectUnharmed(world: SimulatedCluster): Promise<void> {
  expect(await world.missing()).toEqual([]);
  expect(world.writers()).toEqual([]);
}

export async function reasonOf(execution: Execution): Promise<string> {
  const result = await execution.finished;
  return result.cause ?? (result.output as { reason: string }).reason;
}

export async function evidenceOf(world: SimulatedCluster, name = 'recovery-1') {
  const body = await world.evidence.read(`${cluster}/node-recovery/${name}.json`);
  return JSON.parse(body.toString()) as {
    outcome: string;
    reason: string;
    checks: { name: string; ok: boolean }[];
    fences: { of: string; fence: { kind: string } }[];
    decisions: { reason: string }[];
    passes: unknown[];
    milestonesMs: Record<string, number | null>;
    recoveryPointSeconds: number | null;
    figures: unknown[];
  };
}

/** Clients go on writing while states come and go; what they are told must hold afterwards. */
export function writeMeanwhile(world: SimulatedCluster): void {
  let number = 0;
  world.onStep = async () => {
    for (let key = 0; key < 12; key += 1) {
      number += 1;
      await world.write(`key-${(number * 7) % 40}`, number % 9 === 0 ? null : `value-${number}`);
    }
  };
}
