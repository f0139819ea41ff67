/** Two owners and a replacement, each with rows, indexes and log of what was loaded, and a backup of it. */
const copies = 8;
/** Servers, the synthesized app and the log of the load. */
const baseBytes = 2_147_483_648;

/** Why a disk has no room for a rehearsal on a dump of that size, as a sentence; null when it has. */
export function whyNoRoom(dumpBytes: number, freeBytes: number): string | null {
  const neededBytes = baseBytes + copies * dumpBytes;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  return freeBytes >= neededBytes
    ? null
    : `a rehearsal on a dump of ${gigabytes(dumpBytes)} needs ${gigabytes(neededBytes)} for three copies of its rows with their logs and a backup, and the disk has ${gigabytes(freeBytes)} free; make room, or start it in a directory on another disk`;
}
