/** One answered request. */
export interface Answer {
  /** Milliseconds since the Unix epoch, when the answer came. */
  readonly atMs: number;
  readonly shard: number;
  readonly tookMs: number;
  readonly write: boolean;
}

/** The value below which `share` of the values lie (nearest rank); null for no values. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) {
    return null;
  }
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? null;
}

/**
 * The longest time in which some shard of `shards` acknowledged no write, around `killedAtMs`: the gap that contains it,
 * or that begins soon after. Null when a shard never acknowledged again: at all, or for long when the load ended.
 *
 * @param endedAtMs when the load was ended
 */
export function blackoutMs(
  answers: readonly Answer[],
  shards: readonly number[],
  killedAtMs: number,
  endedAtMs: number,
): number | null {
  let longest = 0;
  for (const shard of shards) {
    const times = answers
      .filter((answer) => answer.write && answer.shard === shard)
      .map((answer) => answer.atMs)
      .sort((left, right) => left - right);
    const before = times.filter((atMs) => atMs <= killedAtMs).at(-1) ?? killedAtMs;
    const after = times.filter((atMs) => atMs > killedAtMs);
    if (after.length === 0) {
      return null;
    }
    // A write that was already on its way may be answered just after the kill, so the gap may begin there.
    const beyond = after.findIndex((atMs) => atMs > killedAtMs + soonMs);
    const points = [before, ...after.slice(0, beyond === -1 ? after.length : beyond + 1)];
    if (endedAtMs - (after.at(-1) ?? 0) > Math.max(silentMs, longestGap(points))) {
      return null;
    }
    longest = Math.max(longest, longestGap(points));
  }
  return longest;
}

/** A gap that begins later is of another cause. */
const soonMs = 30_000;
/** Less than this at the end of the load, and nobody knows whether it is a gap. */
const silentMs = 3_000;

function longestGap(points: readonly number[]): number {
  return points.reduce((longest, atMs, index) => Math.max(longest, atMs - (points[index - 1] ?? atMs)), 0);
}

/**
 * The longest time between two acknowledged writes of one of these shards in a span. Null when a shard acknowledged none
 * in it.
 */
export function longestGapMs(
  answers: readonly Answer[],
  shards: readonly number[],
  span: { readonly fromMs: number; readonly toMs: number },
): number | null {
  let longest: number | null = 0;
  for (const shard of shards) {
    const times = answers
      .filter(({ write, shard: of, atMs }) => write && of === shard && atMs >= span.fromMs && atMs <= span.toMs)
      .map(({ atMs }) => atMs)
      .sort((left, right) => left - right);
    if (times.length === 0) {
      return null;
    }
    const points = [span.fromMs, ...times, span.toMs];
    longest = points.reduce((most, atMs, index) => Math.max(most, atMs - (points[index - 1] ?? atMs)), longest);
  }
  return longest;
}

export interface Latency {
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** Latency of the answers between two moments. */
export function latencyBetween(answers: readonly Answer[], fromMs: number, toMs: number): Latency {
  const took = answers.filter((answer) => answer.atMs >= fromMs && answer.atMs < toMs).map((answer) => answer.tookMs);
  return { p50Ms: percentile(took, 0.5), p99Ms: percentile(took, 0.99) };
}
