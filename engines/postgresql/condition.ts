import { setTimeout as sleep } from 'node:timers/promises';

/** Short, because clients wait for what waits for it. */
const defaultPollMs = 10;

/**
 * Asks again and again until the answer is yes. Counts real time: it waits for a server, not for a workflow's clock.
 *
 * @throws what `late` makes when the answer is still no after `timeoutMs`
 */
export async function waitUntil(
  holds: () => Promise<boolean>,
  limits: { readonly timeoutMs: number; readonly late: () => Error; readonly pollMs?: number },
): Promise<void> {
  const deadline = performance.now() + limits.timeoutMs;
  while (!(await holds())) {
    if (performance.now() >= deadline) {
      throw limits.late();
    }
    await sleep(limits.pollMs ?? defaultPollMs);
  }
}
