import * as z from 'zod';

/** One pass over one shard, as measured. */
export const shardPassSchema = z.strictObject({
  shard: z.string(),
  segments: z.int().min(0),
  /** Changes applied: the D of rule 11. */
  rows: z.int().min(0),
  bytes: z.int().min(0),
  /** Log that was between the begin and the end of what this pass applied. */
  appliedBytes: z.number().min(0),
  /** Log that was written while it ran. */
  gainedBytes: z.number().min(0),
  /** Log that is left to apply after it. */
  lagBytes: z.number().min(0),
  durationMs: z.number().min(0),
  /** False: its time ran out before everything that was there at its begin was applied. */
  complete: z.boolean(),
});
export type ShardPass = z.infer<typeof shardPassSchema>;

export const passSummarySchema = z.strictObject({
  number: z.int().min(1),
  segments: z.int(),
  rows: z.int(),
  bytes: z.int(),
  /** The largest of its shards'. */
  lagBytes: z.number(),
  durationMs: z.number(),
});
export type PassSummary = z.infer<typeof passSummarySchema>;

export interface ConvergencePolicy {
  readonly enoughLagBytes: number;
  readonly enoughPassMs: number;
  readonly maxPassRatio: number;
  readonly maxPasses: number;
}

export type PassDecision =
  | { readonly action: 'enough'; readonly reason: string }
  | { readonly action: 'another pass'; readonly reason: string }
  | { readonly action: 'not converging'; readonly reason: string };

/** How many passes in a row may shrink too little. */
const strikes = 2;
/** Two ratios take three passes. */
export const passesRemembered = strikes + 1;

/**
 * Decides what follows a pass, from the newest passes, each a list of its shards, oldest first (rule 11). With D rows to apply, write
 * rate w and apply rate a, D(k+1) = (w/a)·D(k): passes shrink while w < a, and how much tells how far they will.
 *
 * `enough`: every shard's newest pass was short and left little. `not converging`: a shard that is not there yet shrank
 * too little twice in a row, or the passes are used up.
 *
 * @param passes the newest `passesRemembered` are enough
 * @param passesDone how many there were in all
 */
export function decideNextPass(
  passes: readonly (readonly ShardPass[])[],
  passesDone: number,
  policy: ConvergencePolicy,
): PassDecision {
  const newest = passes.at(-1) ?? [];
  const behind = newest.filter((pass) => !isEnough(pass, policy));
  if (behind.length === 0) {
    const lagBytes = Math.max(0, ...newest.map((pass) => pass.lagBytes));
    return { action: 'enough', reason: `after pass ${passesDone} no shard lags more than ${lagBytes} bytes` };
  }
  for (const { shard } of behind) {
    const history = historyOf(passes, shard);
    if (shrinksTooLittle(history, policy.maxPassRatio)) {
      return { action: 'not converging', reason: ratesOf(shard, history) };
    }
  }
  if (passesDone >= policy.maxPasses) {
    const reasons = behind.map(({ shard }) => ratesOf(shard, historyOf(passes, shard)));
    return { action: 'not converging', reason: `${passesDone} passes were not enough: ${reasons.join('; ')}` };
  }
  const names = behind.map((pass) => `${pass.shard} lags ${pass.lagBytes} bytes after ${pass.durationMs} ms`);
  return { action: 'another pass', reason: names.join('; ') };
}

function isEnough(pass: ShardPass, policy: ConvergencePolicy): boolean {
  return pass.complete && pass.lagBytes <= policy.enoughLagBytes && pass.durationMs <= policy.enoughPassMs;
}

/**
 * w/a as two passes in a row show it: what came in during the first over what the first applied. A pass that was cut off
 * does not tell by its rows what came in; its log does.
 */
export function passRatio(first: ShardPass, second: ShardPass): number | null {
  if (first.complete && second.complete) {
    return first.rows === 0 ? null : second.rows / first.rows;
  }
  return second.appliedBytes === 0 ? null : second.gainedBytes / second.appliedBytes;
}

function shrinksTooLittle(history: readonly ShardPass[], maxRatio: number): boolean {
  if (history.length <= strikes) {
    return false;
  }
  return history.slice(-strikes).every((pass, index) => {
    const before = history.at(index - strikes - 1);
    const ratio = before === undefined ? null : passRatio(before, pass);
    return ratio !== null && ratio > maxRatio;
  });
}

/** `shard_0003 gains 21,000 rows/s, applies 18,000`. */
function ratesOf(shard: string, history: readonly ShardPass[]): string {
  const last = history.at(-1);
  const before = history.at(-2);
  if (last === undefined) {
    return `${shard} was not measured`;
  }
  const rowsApplied = before?.complete === true && last.complete ? before : last;
  const applies = perSecond(rowsApplied.rows, rowsApplied.durationMs);
  const gained =
    rowsApplied === last
      ? last.appliedBytes === 0
        ? 0
        : (last.gainedBytes / last.appliedBytes) * last.rows
      : last.rows;
  return `${shard} gains ${words(perSecond(gained, rowsApplied.durationMs))} rows/s, applies ${words(applies)}`;
}

function historyOf(passes: readonly (readonly ShardPass[])[], shard: string): readonly ShardPass[] {
  return passes.flatMap((pass) => pass.filter((measured) => measured.shard === shard));
}

function perSecond(rows: number, durationMs: number): number {
  return (rows * 1_000) / Math.max(1, durationMs);
}

function words(rate: number): string {
  return Math.round(rate).toLocaleString('en-US');
}

/** A pass over all shards in one line, for the evidence. */
export function summarizePass(number: number, shards: readonly ShardPass[]): PassSummary {
  const sum = (of: (pass: ShardPass) => number): number => shards.reduce((total, pass) => total + of(pass), 0);
  return {
    number,
    segments: sum((pass) => pass.segments),
    rows: sum((pass) => pass.rows),
    bytes: sum((pass) => pass.bytes),
    lagBytes: Math.max(0, ...shards.map((pass) => pass.lagBytes)),
    durationMs: Math.max(0, ...shards.map((pass) => pass.durationMs)),
  };
}
