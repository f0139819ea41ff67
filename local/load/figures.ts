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
 * or that begins soon after. Null when a shard never acknowledged again.
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
    const points = [before, ...after.filter((atMs) => atMs <= Math.min(endedAtMs, killedAtMs + 30_000))];
    for (let index = 1; index < points.length; index += 1) {
      longest = Math.max(longest, (points[index] ?? 0) - (points[index - 1] ?? 0));
    }
  }
  return longest;
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
