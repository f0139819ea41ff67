import type { Clock } from '../ports/clock';

/**
 * Looks again and again until there is something to see.
 *
 * @returns what was seen, or null when the time ran out first; the last look is at or after the end of the time
 */
export async function poll<Seen>(
  clock: Clock,
  limits: { readonly timeoutMs: number; readonly everyMs: number },
  look: () => Promise<Seen | null>,
): Promise<Seen | null> {
  const untilMs = clock.nowMs() + limits.timeoutMs;
  for (;;) {
    const startedAtMs = clock.nowMs();
    const seen = await look();
    if (seen !== null || startedAtMs >= untilMs) {
      return seen;
    }
    await clock.sleep(Math.max(1, Math.min(limits.everyMs, untilMs - clock.nowMs())));
  }
}
