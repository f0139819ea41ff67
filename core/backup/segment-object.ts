import * as z from 'zod';
import type { Segment } from '../cluster/manifest';
import type { CapturedChanges } from '../ports/database-engine';
import { messageOf, RejoinError } from '../errors';
import type { Codec } from './codec';
import { segmentKey } from './object-keys';
import { sha256Of, unpack } from './stored-object';

const positionSchema = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);

/**
 * A segment's object describes itself, so that no second object can be missing or disagree: a line of JSON, then the
 * changes, compressed.
 */
const headerSchema = z.strictObject({
  format: z.literal('rejoin segment 1'),
  shard: z.string(),
  epoch: z.int(),
  from: positionSchema,
  to: positionSchema,
  rows: z.int().min(0),
  transactions: z.int().min(0),
  rawBytes: z.int().min(0),
  /** Of the compressed changes. */
  sha256: z.string(),
});

const lineEnd = 0x0a;
/** A header that has no end here is none. */
const maxHeaderBytes = 4_096;

/** Where a segment belongs. */
export interface SegmentPlace {
  readonly cluster: string;
  readonly shard: string;
  readonly epoch: number;
}

/** A segment and the bytes of its object. The same changes always give the same bytes. */
export async function encodeSegment(
  codec: Codec,
  place: SegmentPlace,
  changes: Omit<CapturedChanges, 'drained'>,
): Promise<{ readonly segment: Segment; readonly stored: Buffer }> {
  const compressed = await codec.compress(changes.body);
  const sha256 = sha256Of(compressed);
  const described = {
    shard: place.shard,
    epoch: place.epoch,
    from: changes.from,
    to: changes.to,
    rows: changes.rows,
    transactions: changes.transactions,
    rawBytes: changes.body.length,
    sha256,
  };
  const header: z.infer<typeof headerSchema> = { format: 'rejoin segment 1', ...described };
  const stored = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), compressed]);
  const key = segmentKey(place.cluster, place, changes, codec.name);
  return { segment: { ...described, key, storedBytes: stored.length }, stored };
}

/** The segment in an object and its changes, uncompressed. @throws ChunkDamaged when they are not as they were written */
export async function decodeSegment(
  codec: Codec,
  cluster: string,
  key: string,
  stored: Buffer,
): Promise<{ readonly segment: Segment; readonly body: Buffer }> {
  const end = stored.subarray(0, maxHeaderBytes).indexOf(lineEnd);
  const { shard, epoch, from, to, rows, transactions, rawBytes, sha256 } = parseHeader(
    key,
    stored.subarray(0, Math.max(0, end)),
  );
  const header = { shard, epoch, from, to, rows, transactions, rawBytes, sha256 };
  if (segmentKey(cluster, header, header, codec.name) !== key) {
    throw new RejoinError(
      'ChunkDamaged',
      `object '${key}' is damaged: it says that it holds the changes of ${shard} at epoch ${epoch} from ${from} to ${to}`,
    );
  }
  const compressed = stored.subarray(end + 1);
  const body = await unpack(codec, { key, sha256, rawBytes }, compressed);
  return { segment: { ...header, key, storedBytes: stored.length }, body };
}

function parseHeader(key: string, line: Buffer): z.infer<typeof headerSchema> {
  try {
    return headerSchema.parse(JSON.parse(line.toString('utf8')));
  } catch (thrown) {
    throw new RejoinError(
      'ChunkDamaged',
      `object '${key}' is damaged: it does not begin as a segment does (${messageOf(thrown).slice(0, 200)})`,
      {
        cause: thrown,
      },
    );
  }
}
