import * as z from 'zod';
import { comparePositions, type LogPosition } from '../cluster/position';
import type { Registry } from '../ports/registry';

const momentSchema = z.strictObject({ position: z.string(), atMs: z.number() });

/**
 * `CLUSTER#c / POSITION#node`: the end of a primary's log as its agent reports it once a second, in clusters whose commits
 * don't wait for a follower. What was written after it is the loss of a promotion.
 */
export const reportedPositionSchema = z.strictObject({
  nodeId: z.string(),
  position: z.string(),
  /** Before the position was read: every commit acknowledged before this moment lies before it. */
  atMs: z.number(),
  /**
   * How far each follower has confirmed, by replication name. A shard without writes of its own is applied no further than
   * its last change, so that only its primary knows that nothing of it is missing.
   */
  confirmed: z.record(z.string(), z.string()),
  /** The reports before this one, the newest first. */
  earlier: z.array(momentSchema),
});
export type ReportedPosition = z.infer<typeof reportedPositionSchema>;

const earlierKept = 10;

export function reportedPositionKey(cluster: string, nodeId: string): { readonly pk: string; readonly sk: string } {
  return { pk: `CLUSTER#${cluster}`, sk: `POSITION#${nodeId}` };
}

/** Null when the node never reported. */
export async function readReportedPosition(
  registry: Pick<Registry, 'read'>,
  cluster: string,
  nodeId: string,
): Promise<ReportedPosition | null> {
  const item = await registry.read(reportedPositionKey(cluster, nodeId));
  return item === null ? null : reportedPositionSchema.parse(item);
}

/** The report that follows on another one; null where the log or the clock would go back: then what was said stays. */
export function nextReport(
  before: ReportedPosition | null,
  seen: Pick<ReportedPosition, 'nodeId' | 'position' | 'atMs' | 'confirmed'>,
): ReportedPosition | null {
  if (before === null) {
    return { ...seen, earlier: [] };
  }
  if (seen.atMs <= before.atMs || comparePositions(seen.position, before.position) < 0) {
    return null;
  }
  const { position, atMs } = before;
  return { ...seen, earlier: [{ position, atMs }, ...before.earlier].slice(0, earlierKept) };
}

/** Writes a report on condition that the one before it still stands. @throws ConditionFailed when it does not */
export async function writeReport(
  registry: Pick<Registry, 'write'>,
  cluster: string,
  before: ReportedPosition | null,
  report: ReportedPosition,
): Promise<void> {
  const when = before === null ? ('absent' as const) : { equals: { position: before.position, atMs: before.atMs } };
  await registry.write([{ kind: 'put', key: reportedPositionKey(cluster, report.nodeId), value: report, when }]);
}

/** How far a follower is known to have received the log: what it has applied itself, or what it has confirmed. */
export function receivedBy(
  report: ReportedPosition | null,
  follower: { readonly name: string; readonly appliedTo: LogPosition | null },
): LogPosition | null {
  const confirmed = report?.confirmed[follower.name] ?? null;
  if (confirmed === null || follower.appliedTo === null) {
    return confirmed ?? follower.appliedTo;
  }
  return comparePositions(confirmed, follower.appliedTo) > 0 ? confirmed : follower.appliedTo;
}

/** Every commit acknowledged before this moment lies before `received`; null: not known, it was longer ago. */
export function coveredToMs(report: ReportedPosition, received: LogPosition): number | null {
  const newest = [report, ...report.earlier].find(({ position }) => comparePositions(position, received) <= 0);
  return newest?.atMs ?? null;
}
