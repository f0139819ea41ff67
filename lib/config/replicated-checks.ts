import type { Cluster } from './checked-parts';
import type { Path, Problem } from './problem';

/** What a cluster whose nodes hold all rows can't be told. */
export function checkReplicated(path: Path, cluster: Cluster): readonly Problem[] {
  if (cluster.layout !== 'replicated') {
    return [];
  }
  const problems: Problem[] = [];
  if (cluster.durability !== 'asynchronous') {
    problems.push({
      path: [...path, 'durability'],
      message: `'${cluster.durability}' is not allowed with layout 'replicated', and is what it is when left out: promotion is by measured loss, at most policy.maxLossBytes; set durability: asynchronous (synchronous_standby_names stays yours, Rejoin does not touch it)`,
    });
  }
  if (cluster.shardCount !== 1) {
    problems.push({
      path: [...path, 'shardCount'],
      message: `${cluster.shardCount} shards are not allowed with layout 'replicated', whose nodes hold all rows; leave shardCount out`,
    });
  }
  for (const [id, { machine }] of Object.entries(cluster.nodes)) {
    if (machine.kind !== 'ec2') {
      problems.push({
        path: [...path, 'nodes', id, 'machine', 'kind'],
        message: `'${machine.kind}' is not allowed with layout 'replicated': RDS replaces replicas by itself; use kind: ec2, or layout 'sharded'`,
      });
    }
  }
  return problems;
}
