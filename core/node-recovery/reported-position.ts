import { z } from 'zod';
import type { LogPosition } from '../cluster/position';
import type { Registry } from '../ports/registry';

/**
 * `CLUSTER#c / POSITION#node`: the end of a primary's log as its agent reports it once a second, in clusters whose commits
 * don't wait for a follower. What was written after it is the loss of a promotion.
 */
export const reportedPositionSchema = z.strictObject({ nodeId: z.string(), position: z.string(), atMs: z.number() });

export function reportedPositionKey(cluster: string, nodeId: string): { readonly pk: string; readonly sk: string } {
  return { pk: `CLUSTER#${cluster}`, sk: `POSITION#${nodeId}` };
}

/** Null when the node never reported. */
export async function readReportedPosition(
  registry: Pick<Registry, 'read'>,
  cluster: string,
  nodeId: string,
): Promise<LogPosition | null> {
  const item = await registry.read(reportedPositionKey(cluster, nodeId));
  return item === null ? null : reportedPositionSchema.parse(item).position;
}
