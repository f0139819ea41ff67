/** The part of every SDK client's configuration that is the same for all. */
export interface ClientSettings {
  readonly maxAttempts: number;
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly throwOnRequestTimeout: true;
  };
}

const connectTimeoutMs = 2_000;
/** Enough for every API that answers with what it knows. */
const requestTimeoutMs = 10_000;

/**
 * Bounds on a call: how often it is tried, and how long each try may take. The SDK's own default is to wait for ever.
 *
 * @param timeoutMs of one try, from its first byte to the answer
 */
export function clientSettings(timeoutMs = requestTimeoutMs): ClientSettings {
  return {
    maxAttempts: 4,
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      requestTimeout: timeoutMs,
      // Without it the SDK only warns, and waits on.
      throwOnRequestTimeout: true,
    },
  };
}
