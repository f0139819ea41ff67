import { didYouMean } from './explain';
import type { CheckedParts, Cluster, Clusters } from './checked-parts';
import { checkOnAws, isLoopback } from './aws-checks';
import type { Path, Problem } from './problem';
import { checkReplicated } from './replicated-checks';

/** The most primary shards that a node may have: the slot of each decodes the node's whole log (spec: node-recovery, 2). */
const maxPrimaryShardsPerNode = 16;

/** What no field says alone. */
export function crossCheck(parts: CheckedParts): readonly Problem[] {
  const clusters = Object.entries(parts.clusters);
  return [
    ...(parts.clusterCount === 0
      ? [{ path: ['clusters'], message: 'no cluster is given; describe at least one' }]
      : []),
    ...checkEndpoints(parts.vpc),
    ...clusters.flatMap(([name, cluster]) => checkCluster(['clusters', name], cluster)),
    ...clusters.flatMap(([name, cluster]) => checkOnAws(['clusters', name], cluster, parts)),
    ...checkUniqueness(parts.clusters),
    ...checkSites(parts.clusters),
  ];
}

/** Endpoints that are created need to know whom they let in, and which routes lead to them. */
function checkEndpoints(vpc: CheckedParts['vpc']): readonly Problem[] {
  if (vpc?.endpoints !== 'create') {
    return [];
  }
  const needed = {
    cidr: 'the IPv4 range of the VPC',
    routeTableIds: "the route tables of the sites' subnets",
  } as const;
  return (['cidr', 'routeTableIds'] as const)
    .filter((field) => vpc[field] === undefined)
    .map((field) => ({
      path: ['vpc', field],
      message: `is missing; with endpoints: create, name ${needed[field]}`,
    }));
}

/** What is allowed, and yet likely not meant. */
export function crossWarnings(parts: CheckedParts): readonly Problem[] {
  return Object.entries(parts.clusters).flatMap(([name, cluster]) => {
    const path: Path = ['clusters', name];
    const sites = new Set(Object.values(cluster.nodes).map((node) => node.site));
    const warnings: Problem[] = [];
    if (sites.size < 2) {
      warnings.push({
        path: [...path, 'sites'],
        message: `all nodes are at one site, so its loss is the loss of the cluster, and no witness is at another site; spread them over at least two`,
      });
    }
    if (cluster.layout === 'sharded' && parts.workflows['node-recovery'] && !parts.workflows.backup) {
      warnings.push({
        path,
        message: `workflow 'backup' is off, so a node is restored from the surviving owners alone, at their cost`,
      });
    }
    return warnings;
  });
}

function checkCluster(path: Path, cluster: Cluster): readonly Problem[] {
  const nodes = Object.entries(cluster.nodes);
  const problems: Problem[] = [
    ...nodes.flatMap(([id, node]) => checkNode([...path, 'nodes', id], id, node, cluster)),
    ...checkReplicated(path, cluster),
  ];
  if (nodes.length < 2) {
    problems.push({
      path: [...path, 'nodes'],
      message: `${nodes.length === 1 ? '1 node is' : 'no nodes are'} given; at least 2 are needed, for ${cluster.layout === 'sharded' ? 'each shard has two owners' : 'one must survive'}`,
    });
  }
  const perNode = Math.ceil(cluster.shardCount / Math.max(nodes.length, 1));
  if (cluster.layout === 'sharded' && nodes.length >= 2 && perNode > maxPrimaryShardsPerNode) {
    problems.push({
      path: [...path, 'shardCount'],
      message: `${cluster.shardCount} shards on ${nodes.length} nodes are ${perNode} primary shards a node; at most ${maxPrimaryShardsPerNode} are allowed, as each one's slot decodes the whole log; add nodes or choose at most ${nodes.length * maxPrimaryShardsPerNode} shards`,
    });
  }
  if (cluster.promotion === 'external' && cluster.layout === 'sharded') {
    problems.push({
      path: [...path, 'promotion'],
      message: `'external' is not allowed with layout 'sharded': Patroni and RDS Multi-AZ promote whole nodes, not shards; use 'rejoin', or layout 'replicated'`,
    });
  }
  if (cluster.backup.keepDays < cluster.backup.maxAgeDays) {
    problems.push({
      path: [...path, 'backup', 'keepDays'],
      message: `backups are kept for ${cluster.backup.keepDays} days and restored from for ${cluster.backup.maxAgeDays}; keepDays must be at least maxAgeDays`,
    });
  }
  if (!/^(rate\([1-9]\d* (minutes?|hours?|days?)\)|cron\((\S+ ){5}\S+\))$/.test(cluster.backup.fullSchedule)) {
    problems.push({
      path: [...path, 'backup', 'fullSchedule'],
      message: `'${cluster.backup.fullSchedule}' is not an EventBridge schedule; write rate(12 hours), or cron() with six fields, such as cron(0 2 ? * SUN *)`,
    });
  }
  return problems;
}

function checkNode(path: Path, id: string, node: Cluster['nodes'][string], cluster: Cluster): readonly Problem[] {
  const problems: Problem[] = [];
  const sites = Object.keys(cluster.sites);
  if (!sites.includes(node.site)) {
    problems.push({
      path: [...path, 'site'],
      message: `there is no site '${node.site}'; sites of this cluster: ${sites.join(', ') || 'none'}${didYouMean(node.site, sites)}`,
    });
  }
  if (cluster.layout === 'sharded' && cluster.durability === 'synchronous' && node.machine.kind === 'rds') {
    problems.push({
      path: [...path, 'machine', 'kind'],
      message: `'rds' is not allowed with durability 'synchronous': RDS lets nobody choose which follower confirms; set durability: asynchronous, which may lose up to maxLossBytes`,
    });
  }
  if (cluster.tls === 'disabled' && !isLoopback(node.host)) {
    problems.push({
      path: [...path, 'host'],
      message: `'${node.host}' is reached over a network, and tls is 'disabled', which is for loopback addresses only; set tls: verify-full`,
    });
  }
  const original = /^(.+)-r\d+$/.exec(id)?.[1];
  if (original !== undefined && original in cluster.nodes) {
    problems.push({
      path,
      atKey: true,
      message: `'${id}' is the name that a replacement of node '${original}' gets; choose another`,
    });
  }
  return problems;
}

/** One machine is one node, and one address leads to one server. */
function checkUniqueness(clusters: Clusters): readonly Problem[] {
  const taken = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [clusterName, cluster] of Object.entries(clusters)) {
    for (const [id, node] of Object.entries(cluster.nodes)) {
      const path = ['clusters', clusterName, 'nodes', id];
      const machine =
        node.machine.kind === 'ec2'
          ? { field: 'instanceId', value: node.machine.instanceId }
          : { field: 'instanceIdentifier', value: node.machine.instanceIdentifier };
      const claims = [
        // Executions and machines are named by both; 'a-b' of 'c' must not be 'b' of 'c-a'.
        { at: path, what: `${clusterName}-${id}` },
        { at: [...path, 'host'], what: `${node.host}:${cluster.port}` },
        { at: [...path, 'machine', machine.field], what: machine.value },
      ];
      for (const { at, what } of claims) {
        const owner = taken.get(what);
        if (owner !== undefined) {
          problems.push({ path: at, message: `'${what}' is already that of ${owner}; each node has its own` });
        }
        taken.set(what, owner ?? `node '${id}' of cluster '${clusterName}'`);
      }
    }
  }
  return problems;
}

/** A site is one place for all clusters: one function a site probes from there. */
function checkSites(clusters: Clusters): readonly Problem[] {
  const known = new Map<string, { readonly subnetId: string; readonly cluster: string }>();
  const problems: Problem[] = [];
  for (const [cluster, { sites }] of Object.entries(clusters)) {
    for (const [site, { subnetId }] of Object.entries(sites)) {
      const before = known.get(site) ?? { subnetId, cluster };
      known.set(site, before);
      if (before.subnetId !== subnetId) {
        problems.push({
          path: ['clusters', cluster, 'sites', site, 'subnetId'],
          message: `site '${site}' is ${subnetId} here and ${before.subnetId} in cluster '${before.cluster}'; give the sites different names, or the same subnet`,
        });
      }
    }
  }
  return problems;
}
