import type { NodeItem } from '../cluster/items';

/**
 * The node of which a copy is made for another one's replacement: a standby, so that the primary is spared, and where there
 * is one, at the failed node's site. Null: nobody serves.
 */
export function nodeToCopy(nodes: readonly NodeItem[], failed: string, primary: string | null): NodeItem | null {
  const site = nodes.find(({ id }) => id === failed)?.site;
  const rank = (node: NodeItem): number => (node.id === primary ? 2 : node.site === site ? 0 : 1);
  const [first] = nodes
    .filter(({ id, state }) => state === 'serving' && id !== failed)
    .sort((left, right) => rank(left) - rank(right) || (left.id < right.id ? -1 : 1));
  return first ?? null;
}
