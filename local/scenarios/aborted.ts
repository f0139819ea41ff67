/**
 * Rejects with the signal's reason as soon as it is aborted, also when it is already; never resolves.
 *
 * @param forget aborted once nobody waits any more: nothing stays on the signal, which may outlive many waits
 */
export async function aborted(signal: AbortSignal, forget: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = (): void => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('stopped'));
    };
    if (signal.aborted) {
      fail();
    } else {
      signal.addEventListener('abort', fail, { once: true, signal: forget });
    }
  });
}
