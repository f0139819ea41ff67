const checkMs = 25;
const usualPatienceMs = 30_000;
/** What is known to be missing is not awaited for long. */
const gapPatienceMs = 3_000;
let patienceMs = usualPatienceMs;

/**
 * A test of a contract. Where the stand-in that a subject runs on (moto_server, say) is known to lack what is asked, the
 * test must fail: a gap that has closed shows, and is taken off the list.
 */
export function contractTest<Gap extends string>(
  gaps: readonly Gap[],
  needs: Gap | null,
  name: string,
  body: () => Promise<void>,
): void {
  const missing = needs !== null && gaps.includes(needs);
  const declare = missing ? test.failing : test;
  declare(missing ? `${name} (known gap: ${needs})` : name, async () => {
    if (!missing) {
      expect.hasAssertions();
    }
    patienceMs = missing ? gapPatienceMs : usualPatienceMs;
    try {
      await body();
    } finally {
      patienceMs = usualPatienceMs;
    }
  });
}

/** Asks until the answer is as wanted; gives it back. @throws Error with the last answer when it never is */
export async function eventually<T>(
  ask: () => Promise<T>,
  wanted: (answer: T) => boolean,
  limitMs = patienceMs,
): Promise<T> {
  const givesUpAt = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) {
      return answer;
    }
    if (performance.now() > givesUpAt) {
      throw new Error(`after ${limitMs} ms it is still ${JSON.stringify(answer)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, checkMs));
  }
}
