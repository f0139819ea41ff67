/** Time, injected: real on AWS and in rehearsals, virtual in simulation. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when it is aborted first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** Randomness, injected, so that a seed replays a run. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
}
