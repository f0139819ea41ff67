import type { NodeItem } from '../cluster/items';
import { nameSchema } from '../cluster/settings';

const pattern = /^(.*?)(?:-r(\d+))?$/;

/** The id that a node's line of replacements began with: `node-3` for `node-3-r2`. */
export function baseId(nodeId: string): string {
  return pattern.exec(nodeId)?.[1] ?? nodeId;
}

/**
 * The id of the node that replaces `nodeId`: `node-3` → `node-3-r1` → `node-3-r2`. Never one that was used before: old
 * names of slots, records and evidence stay theirs.
 */
export function replacementId(nodeId: string, used: readonly string[]): string {
  const base = baseId(nodeId);
  const numbers = [nodeId, ...used]
    .filter((id) => baseId(id) === base)
    .map((id) => Number(pattern.exec(id)?.[2] ?? '0'));
  return nameSchema.parse(`${base}-r${Math.max(0, ...numbers) + 1}`);
}

/** The replacement's DNS name: the node's, with its first label exchanged. */
export function replacementHost(host: string, replacement: string): string {
  const dot = host.indexOf('.');
  return dot === -1 ? replacement : `${replacement}${host.slice(dot)}`;
}

/** The most sites in which a launch is tried. */
export const launchTries = 3;

/**
 * The sites in which a replacement is launched, in order: the node's own first, so that owners stay spread as they
 * were; then those with the fewest nodes.
 */
export function launchSites(failed: NodeItem, sites: readonly string[], nodes: readonly NodeItem[]): readonly string[] {
  const nodesAt = (site: string): number =>
    nodes.filter((node) => node.site === site && node.state === 'serving' && node.id !== failed.id).length;
  const others = sites
    .filter((site) => site !== failed.site)
    .sort((left, right) => nodesAt(left) - nodesAt(right) || (left < right ? -1 : 1));
  return [failed.site, ...others].slice(0, launchTries);
}

/**
 * The node that an agent stands beside. On an EC2 instance that is always the one on its own machine. No agent runs on an RDS
 * instance: one beside it keeps the place, and goes on with whoever serves there now.
 */
export function nodeBeside(nodeId: string, nodes: readonly NodeItem[]): NodeItem | undefined {
  const named = nodes.find((node) => node.id === nodeId);
  if (named?.machineKind !== 'rds' || named.state === 'serving') {
    return named;
  }
  const serving = nodes.find(
    (node) => node.machineKind === 'rds' && node.state === 'serving' && baseId(node.id) === baseId(nodeId),
  );
  return serving ?? named;
}
