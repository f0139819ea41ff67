import type { Objects } from '../ports/objects';
import type { SegmentSpan } from './segment-chain';
import { spanOf } from './segment-chain';

/** All segments in a lineage's folder, whether or not they are part of its chain. */
export async function listSpans(objects: Objects, folder: string): Promise<readonly SegmentSpan[]> {
  const spans: SegmentSpan[] = [];
  for await (const { key } of objects.list(folder)) {
    const span = spanOf(key);
    if (span !== null) {
      spans.push(span);
    }
  }
  return spans;
}
