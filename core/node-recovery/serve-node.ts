import type { ClusterRegistry } from '../cluster/cluster-registry';

/** Makes a node a member that others watch, as soon as it holds rows that count. Repeating it changes nothing. */
export async function serveNode(clusterRegistry: ClusterRegistry, cluster: string, nodeId: string): Promise<void> {
  const node = await clusterRegistry.node(cluster, nodeId);
  if (node.state !== 'serving') {
    const after = { ...node, state: 'serving' as const };
    await clusterRegistry.replace(cluster, { kind: 'NODE', value: node }, { kind: 'NODE', value: after });
  }
}
