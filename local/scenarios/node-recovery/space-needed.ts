const mebibyte = 1_048_576;
/** A new server with its first logs; measured: 45 MiB. */
const bytesPerServer = 64 * mebibyte;
/** The synthesized app, bundles, histories, logs, evidence; measured: 25 MiB. */
const ownBytes = 64 * mebibyte;

/** What a rehearsal writes, by where it is written. */
export interface SpaceNeeded {
  /** Where the machines are. */
  readonly machineBytes: number;
  /** Where the run keeps everything else, the backup too. */
  readonly runBytes: number;
}

/**
 * About how much a rehearsal writes, rather too much than too little.
 *
 * @param data what the rows take: both owners' copies and the replacement's with their indexes and logs, and their backup
 */
export function spaceNeeded(nodes: number, data: SpaceNeeded): SpaceNeeded {
  // The template that servers are copied from, and one replacement.
  const servers = nodes + 2;
  return { machineBytes: servers * bytesPerServer + data.machineBytes, runBytes: ownBytes + data.runBytes };
}
