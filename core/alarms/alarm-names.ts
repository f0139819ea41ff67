/** Everything by which the rule of node-recovery knows an alarm on a machine's own checks. */
export const statusAlarmPrefix = 'rejoin/status/';
/** The same for heartbeats. */
export const heartbeatAlarmPrefix = 'rejoin/heartbeat/';

/** The alarm on the heartbeats of one member of a cluster. Whoever follows in its place is watched by the same alarm. */
export function heartbeatAlarmName(cluster: string, member: string): string {
  return `${heartbeatAlarmPrefix}${cluster}/${member}`;
}

/** The deployed alarm on the status checks of a machine that rejoin.yaml names. */
export function statusAlarmName(cluster: string, member: string): string {
  return `${statusAlarmPrefix}${cluster}/${member}`;
}

/**
 * The alarm on the status checks of a replacement's machine. It ends with the machine, so that it never has the name of a
 * deployed one: a node that was entered in rejoin.yaml later gets its own beside it.
 */
export function replacementAlarmName(cluster: string, nodeId: string, machineId: string): string {
  return `${statusAlarmName(cluster, nodeId)}/${machineId}`;
}

const pattern =
  /^rejoin\/(heartbeat|status)\/(?<cluster>[a-z][a-z0-9-]{0,39})\/(?<node>[a-z][a-z0-9-]{0,39})(?:\/(?<machine>[\w-]+))?$/;

/** What an alarm watches, by its name; null: it is none of these. */
export function watchedBy(
  alarmName: string,
): { readonly what: 'heartbeat' | 'status'; readonly cluster: string; readonly node: string } | null {
  const found = pattern.exec(alarmName);
  const { cluster, node, machine } = found?.groups ?? {};
  const what = found?.[1] === 'status' ? 'status' : 'heartbeat';
  return cluster === undefined || node === undefined || (what === 'heartbeat' && machine !== undefined)
    ? null
    : { what, cluster, node };
}
