import { isRejoinError, messageOf } from '../errors';

/**
 * What an alarm's service refuses for good, in words; null where it did what was asked. No recovery is given up for an
 * alarm: without it a node is still watched by its neighbours and its heartbeat.
 *
 * @throws everything but ApiRefused: it may succeed when it is tried again
 */
export async function refusal(work: Promise<void>): Promise<string | null> {
  try {
    await work;
    return null;
  } catch (thrown) {
    if (!isRejoinError(thrown, 'ApiRefused')) {
      throw thrown;
    }
    return messageOf(thrown);
  }
}
