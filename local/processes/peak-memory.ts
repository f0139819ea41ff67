import { readFileSync } from 'node:fs';

/**
 * The most memory that this process has had resident, in bytes.
 *
 * Linux gives a new program the `maxRSS` of whoever started it, so there the kernel's own record of this program is read.
 */
export function peakMemoryBytes(): number {
  const kibibytes = process.platform === 'linux' ? highWaterMark() : undefined;
  return (kibibytes ?? process.resourceUsage().maxRSS) * 1_024;
}

/** `VmHWM` of proc(5): the peak of the resident set since the program was started. */
function highWaterMark(): number | undefined {
  const digits = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return digits === undefined ? undefined : Number(digits);
}
