import { RunLedger, type StepRecord } from '../../../core/ledger/run-ledger';
import { ManualClock } from '../../support/manual-clock';
import { SimulatedRegistry } from '../../support/simulated-registry';

const run = { machine: 'node-recovery', execution: 'recovery-1' };

function record(attempts: number, result: string): StepRecord {
  return { state: 'Look', step: 'look', startedAtMs: 0, endedAtMs: 0, attempts, ok: true, result, error: null };
}

describe('the newest answer of a step that only reads', () => {
  it('takes the place of the one before it', async () => {
    const ledger = new RunLedger(new SimulatedRegistry(), new ManualClock());
    await ledger.keep(run, {}, record(1, 'stopping'), 'newest');
    await ledger.keep(run, {}, record(2, 'stopped'), 'newest');
    expect((await ledger.read(run, 'Look', {}))?.result).toBe('stopped');
  });

  it('is not overwritten by the late write of an attempt that was given up', async () => {
    const ledger = new RunLedger(new SimulatedRegistry(), new ManualClock());
    await ledger.keep(run, {}, record(1, 'stopped'), 'newest');
    await ledger.keep(run, {}, record(2, 'stopped'), 'newest');
    await ledger.keep(run, {}, record(1, 'stopping'), 'newest');
    expect((await ledger.read(run, 'Look', {}))?.result).toBe('stopped');
  });
});
