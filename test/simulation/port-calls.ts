const reads =
  /^(ledger|leases|registry|backups|evidence|dns)\.(read|list|head|check|changeState)$|^hostCommands\.result$|^executions\.(running|visits|describe)$|^machines\.(observe|list|newestSnapshot|snapshotState)$|^databases\.(probe|position|holdings|preflight|describe|shards|synchronousFollowers|slot|retention|peek|planRanges|readRange|checkRows|checksum|digests|rowDigests|appliedTo|followerState|streamingFollowers|confirmedPositions|standbyState|logKeptFromMs|indexProgress)$/;

/** Whether a call only looks: dying right before or after it is the same as dying at the change before it. */
export function onlyReads(call: string): boolean {
  return reads.test(call);
}

/** What a step may change without the cluster's lease: its own notes, objects and commands, and machines that nobody uses yet. */
const ownThings = /^(ledger|leases|backups|evidence|executions|hostCommands)\.|^machines\.launch$/;

/** Whether a call changes a cluster, which takes its lease. */
export function changesCluster(call: string): boolean {
  return !onlyReads(call) && !ownThings.test(call);
}
