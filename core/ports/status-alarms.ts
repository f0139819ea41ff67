/** One machine of a node. */
export interface WatchedMachine {
  readonly cluster: string;
  readonly nodeId: string;
  readonly machineId: string;
}

/**
 * Alarms on the machine API's own checks of machines that no deployment knows: those of replacements. What they set off
 * is what the deployed ones set off (lib/constructs/node-alarms.ts).
 */
export interface StatusAlarms {
  /** Watches a machine from now on. Repeating it changes nothing. @throws ApiThrottled; ApiRefused */
  put(machine: WatchedMachine): Promise<void>;
  /** Watches it no longer. An absent alarm is no error. @throws ApiThrottled; ApiRefused */
  remove(machine: WatchedMachine): Promise<void>;
}
