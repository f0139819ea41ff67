import type { RehearsalOptions } from '../scenario';

const mebibyte = 1_048_576;
/** A new server with its first logs; measured: 45 MiB. */
const bytesPerServer = 64 * mebibyte;
/** Both copies with their indexes and logs, and those of the replacement; measured with 100,000 rows: 1,600. */
const bytesPerRow = 2_400;
/** The synthesized app, bundles, histories, logs, evidence; measured: 25 MiB. */
const ownBytes = 64 * mebibyte;
/** In the backup, compressed. */
const backupBytesPerRow = 100;

/** About how much a rehearsal writes, rather too much than too little. */
export function spaceNeeded({ rows, nodes }: Pick<RehearsalOptions, 'rows' | 'nodes'>): {
  /** Where the machines are. */
  readonly machineBytes: number;
  /** Where the run keeps everything else. */
  readonly runBytes: number;
} {
  // The template that servers are copied from, and one replacement.
  const servers = nodes + 2;
  return { machineBytes: servers * bytesPerServer + rows * bytesPerRow, runBytes: ownBytes + rows * backupBytesPerRow };
}
