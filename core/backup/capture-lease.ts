import { isRejoinError } from '../errors';
import { holderOf, type Lease, type Leases } from '../lease/lease';
import type { Run } from '../ledger/run-ledger';
import type { Clock } from '../ports/clock';

/** Whoever moves or drops capture slots holds it; recoveries go on beside it. */
const leaseName = 'capture';
const betweenTriesMs = 1_000;

/** Takes `LEASE#capture`. @throws LeaseHeld */
export async function takeCaptureLease(leases: Leases, cluster: string, run: Run, durationMs: number): Promise<Lease> {
  return leases.take({ cluster, name: leaseName, holder: holderOf(run), durationMs });
}

/** Takes it as soon as it is free, which is seconds as a rule; null when it was not within `waitMs`. */
export async function awaitCaptureLease(
  ports: { readonly leases: Leases; readonly clock: Clock },
  cluster: string,
  run: Run,
  times: { readonly durationMs: number; readonly waitMs: number },
): Promise<Lease | null> {
  const untilMs = ports.clock.nowMs() + times.waitMs;
  for (;;) {
    try {
      return await takeCaptureLease(ports.leases, cluster, run, times.durationMs);
    } catch (thrown) {
      if (!isRejoinError(thrown, 'LeaseHeld')) {
        throw thrown;
      }
      if (ports.clock.nowMs() >= untilMs) {
        return null;
      }
      await ports.clock.sleep(betweenTriesMs);
    }
  }
}
