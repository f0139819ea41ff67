import { comparePositions, type LogPosition } from '../cluster/position';
import { RejoinError } from '../errors';
import type { Clock } from '../ports/clock';
import type { DatabaseAddress, DatabaseEngine } from '../ports/database-engine';
import { poll } from '../step/poll';

const lookEveryMs = 25;

/**
 * Waits until a standby shows what its primary's log had at a position.
 *
 * @throws NotProved when the time runs out: a standby that streams is there at once, one that has lost its primary never is
 */
export async function awaitReplay(
  ports: { readonly clock: Clock; readonly databases: Pick<DatabaseEngine, 'standbyState'> },
  standby: DatabaseAddress,
  to: LogPosition,
  timeoutMs: number,
): Promise<void> {
  const there = await poll(ports.clock, { timeoutMs, everyMs: lookEveryMs }, async () => {
    const { replayedTo } = await ports.databases.standbyState(standby);
    return replayedTo !== null && comparePositions(replayedTo, to) >= 0 ? true : null;
  });
  if (there === null) {
    throw new RejoinError(
      'NotProved',
      `${standby.nodeId} did not replay its primary's log up to ${to} within ${timeoutMs / 1_000} s`,
    );
  }
}
