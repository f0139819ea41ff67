import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RehearsalReport } from '../../local/scenarios/report';
import { nodeRecovery } from '../../local/scenarios/node-recovery';
import type { RehearsalOptions } from '../../local/scenarios/scenario';

/** Longer than any rehearsal of this size takes on two busy cores. */
export const rehearsalTimeoutMs = 15 * 60_000;

/** One rehearsal of node recovery as `npm run rehearse` does it, with few rows. What it said is told when it fails. */
export async function smallRehearsal(change: Partial<RehearsalOptions>): Promise<RehearsalReport> {
  const directory = await mkdtemp(join(tmpdir(), 'rejoin-e2e-'));
  const said: string[] = [];
  const options: RehearsalOptions = {
    dump: null,
    rows: 4_000,
    shards: 8,
    nodes: 4,
    requestsPerSecond: 60,
    fault: 'kill',
    ablate: [],
    seed: 1,
    keep: false,
    directory,
    ...change,
  };
  try {
    return await nodeRecovery.run(options, (line) => said.push(line), new AbortController().signal);
  } catch (thrown) {
    throw new Error(`the rehearsal broke off after:\n${said.slice(-20).join('\n')}`, { cause: thrown });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Nodes on RDS instances, whose commits wait for nobody: fenced by stop or quarantine, promoted within the bound on losses,
 * restored from a snapshot or into an empty instance.
 */
export const managed: Partial<RehearsalOptions> = { machines: 'rds', durability: 'asynchronous' };

/** Every node holds all rows: a standby is promoted, and the dead node is rebuilt from a volume snapshot and the log. */
export const replicated: Partial<RehearsalOptions> = { layout: 'replicated', nodes: 3, shards: 1 };

/** The checks that did not hold, with the reason of the outcome; nothing when all did. */
export function broken({ checks, outcome, reason }: RehearsalReport): readonly string[] {
  return checks.flatMap(({ ok, name, expected, got }) =>
    ok ? [] : [`${name}: expected ${expected}, got ${got} (${outcome}: ${reason})`],
  );
}

/**
 * Tests that each fault ends as it must, by the rehearsal's own checks, which read the databases back.
 *
 * @param needed a check that has to be among them
 */
export function testFaults(
  faults: readonly string[],
  change: Partial<RehearsalOptions> = {},
  needed = 'acknowledged writes missing',
): void {
  test.each(faults)(
    'fault %s ends as it must',
    async (fault) => {
      const report = await smallRehearsal({ ...change, fault });
      expect(broken(report)).toEqual([]);
      expect(report.checks.length).toBeGreaterThan(2);
      expect(report.load.acknowledged).toBeGreaterThan(100);
      expect(report.checks.map(({ name }) => name)).toContain(needed);
    },
    rehearsalTimeoutMs,
  );
}
