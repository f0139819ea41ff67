import type { Codec } from '../backup/codec';
import { lineageFolder } from '../backup/object-keys';
import { chainFrom, type SegmentSpan } from '../backup/segment-chain';
import { listSpans } from '../backup/segment-list';
import { decodeSegment } from '../backup/segment-object';
import { comparePositions, type LogPosition } from '../cluster/position';
import { isRejoinError, messageOf } from '../errors';
import type { DatabaseAddress, DatabaseEngine } from '../ports/database-engine';
import type { Objects } from '../ports/objects';
import type { Lineage } from './work-order';

export interface ReplayPorts {
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'applyChanges' | 'appliedTo'>;
  readonly codec: Codec;
}

export interface Replayed {
  readonly segments: number;
  readonly rows: number;
  readonly bytes: number;
  readonly appliedTo: LogPosition;
  /** False: the time ran out before the chain's end. */
  readonly done: boolean;
  /** Why segments that are there were not replayed; null when all were. */
  readonly stoppedBy: string | null;
}

/**
 * Replays a lineage's stored segments, in order, from where the target is to the end of their chain. What lies beyond a gap
 * or a damaged segment is left out, because changes build on each other; the comparison of rows repairs what is missing.
 *
 * @param mayGoOn asked before each segment
 */
export async function replaySegments(
  ports: ReplayPorts,
  target: DatabaseAddress,
  order: { readonly cluster: string; readonly shard: string; readonly lineage: Lineage },
  mayGoOn: () => boolean,
): Promise<Replayed> {
  const { cluster, shard, lineage } = order;
  const reached = await ports.databases.appliedTo(target, { shard, lineage: lineage.slot });
  const from = reached !== null && comparePositions(reached, lineage.changesFrom) > 0 ? reached : lineage.changesFrom;
  const spans = await listSpans(ports.backups, lineageFolder(cluster, { shard, epoch: lineage.epoch }));
  const chain = chainFrom(spans, from);
  const done = { segments: 0, rows: 0, bytes: 0, appliedTo: from };
  for (const span of chain.segments) {
    if (!mayGoOn()) {
      return { ...done, done: false, stoppedBy: null };
    }
    const read = await readSegment(ports, cluster, span);
    if ('damage' in read) {
      return { ...done, done: true, stoppedBy: read.damage };
    }
    const { segment, body } = read;
    await ports.databases.applyChanges(target, { shard, lineage: lineage.slot, body, to: segment.to });
    done.segments += 1;
    done.rows += segment.rows;
    done.bytes += segment.storedBytes;
    done.appliedTo = segment.to;
  }
  const { beyondGap } = chain;
  const stoppedBy = beyondGap === null ? null : `no segment leads from ${chain.end} to '${beyondGap.key}'`;
  return { ...done, done: true, stoppedBy };
}

async function readSegment(
  ports: ReplayPorts,
  cluster: string,
  span: SegmentSpan,
): Promise<Awaited<ReturnType<typeof decodeSegment>> | { readonly damage: string }> {
  try {
    return await decodeSegment(ports.codec, cluster, span.key, await ports.backups.read(span.key));
  } catch (thrown) {
    // Removed between listing and reading is as good as damaged.
    if (isRejoinError(thrown, 'ChunkDamaged') || isRejoinError(thrown, 'NotFound')) {
      return { damage: messageOf(thrown) };
    }
    throw thrown;
  }
}
