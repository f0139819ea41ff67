import { comparePositions } from '../cluster/position';
import { RejoinError } from '../errors';
import type { Clock } from '../ports/clock';
import type { DatabaseAddress, DatabaseEngine } from '../ports/database-engine';
import { poll } from '../step/poll';
import type { PlannedShard } from './planned-shard';

export interface PrepareReplicatedPorts {
  readonly clock: Clock;
  readonly databases: Pick<DatabaseEngine, 'installShard' | 'writeMarker' | 'standbyState' | 'shards'>;
}

const showTimeoutMs = 60_000;
const lookEveryMs = 200;

/**
 * Installs the write check on the primary of a replicated cluster, open as it was, and proves that each standby is one of
 * this primary: it shows what was written here, and has replayed its log. How the standbys replicate is left as it is.
 * Repeating it changes nothing.
 *
 * @throws NotProved when a standby does not show it in time
 */
export async function prepareReplicated(
  { clock, databases }: PrepareReplicatedPorts,
  place: {
    readonly shard: PlannedShard;
    readonly primary: DatabaseAddress;
    readonly standbys: readonly DatabaseAddress[];
  },
): Promise<void> {
  const { shard, primary, standbys } = place;
  const { id, schemas, epoch } = shard;
  await databases.installShard(primary, { shard: id, schemas, epoch, writable: true });
  const marker = await databases.writeMarker(primary, id);
  await Promise.all(
    standbys.map(async (standby) => {
      const shown = await poll(clock, { timeoutMs: showTimeoutMs, everyMs: lookEveryMs }, async () => {
        const { replayedTo } = await databases.standbyState(standby);
        if (replayedTo === null || comparePositions(replayedTo, marker) < 0) {
          return null;
        }
        const held = await databases.shards(standby);
        return held.some((each) => each.shard === id && each.epoch === epoch) ? replayedTo : null;
      });
      if (shown === null) {
        throw new RejoinError(
          'NotProved',
          `${standby.nodeId} did not show what was written on ${primary.nodeId} (log position ${marker}) in ${showTimeoutMs / 1_000} s; let it stream from ${primary.host}:${primary.port}, and not from another server`,
        );
      }
    }),
  );
}
