import type { ShardOnNode, StandbyState } from '../ports/database-engine';
import { followName } from '../node-recovery/ownership';
import type { Owners } from './owners';
import type { PlannedShard } from './planned-shard';

/** What one node's database said of itself. */
export interface NodeSurvey {
  readonly nodeId: string;
  /** Why it did not answer; null: it did. */
  readonly silence: string | null;
  /** The schemas of shards that it has, with the names of their tables. */
  readonly schemas: readonly { readonly schema: string; readonly tables: readonly string[] }[];
  /** What an earlier registration left. */
  readonly shards: readonly ShardOnNode[];
  /** The names of the database's subscriptions. */
  readonly subscriptions: readonly string[];
  /** Whether it is a standby; null: it was not asked, for its cluster is sharded. */
  readonly replication: Pick<StandbyState, 'standby' | 'streaming'> | null;
  /** What can't be restored by rows, in words. */
  readonly refused: readonly string[];
}

/** The most primary shards that a node may have: the slot of each decodes the node's whole log. */
const maxPrimaries = 16;

interface Wanted {
  readonly id: string;
  readonly named: Owners | null;
}

/**
 * Decides who owns each shard: two nodes hold its rows. The primary is the one that the input names, or that accepts its
 * writes, or that the other one follows; where nothing tells them apart, the one with fewer primaries. The same facts
 * give the same owners.
 */
export function decideOwners(
  ids: readonly string[],
  named: ReadonlyMap<string, Owners> | null,
  nodes: readonly NodeSurvey[],
): { readonly shards: readonly PlannedShard[]; readonly problems: readonly string[] } {
  const shards: PlannedShard[] = [];
  const problems: string[] = [];
  const strangers = [...(named?.keys() ?? [])].filter((id) => !ids.includes(id));
  if (strangers.length > 0) {
    problems.push(`'owners' names ${strangers.join(', ')}, and the shards are ${ids[0] ?? ''} to ${ids.at(-1) ?? ''}`);
  }
  for (const id of ids) {
    const owners = named?.get(id) ?? null;
    const decided =
      named !== null && owners === null
        ? `'owners' names nobody for ${id}; name both of its owners`
        : decideShard({ id, named: owners }, nodes, shards);
    if (typeof decided === 'string') {
      problems.push(decided);
    } else {
      shards.push(decided);
    }
  }
  return { shards, problems: [...problems, ...tooMany(nodes, shards), ...strangeSubscriptions(nodes, shards)] };
}

/** @returns a problem in words where it can't be decided */
function decideShard(
  { id, named }: Wanted,
  nodes: readonly NodeSurvey[],
  before: readonly PlannedShard[],
): PlannedShard | string {
  const schemas = [...(named?.schemas ?? [id])];
  const holders = nodes.filter((node) =>
    schemas.every((schema) => node.schemas.some((held) => held.schema === schema)),
  );
  const [first, second, ...more] = holders;
  if (first === undefined) {
    return `no node holds ${id}; load its tables (schema ${schemas.join(', ')}) with equal rows into two nodes`;
  }
  if (second === undefined) {
    return `only ${first.nodeId} holds ${id}; load equal rows into a second node`;
  }
  if (more.length > 0) {
    const names = holders.map((node) => node.nodeId).join(', ');
    return `${names} hold ${id}, and a shard has two owners; drop its schema where it is not wanted`;
  }
  const epoch = Math.max(1, ...holders.flatMap((node) => held(node, id)?.epoch ?? []));
  const name = followName({ id, epoch });
  const open = holders.filter((node) => held(node, id)?.writable === true);
  if (open.length > 1) {
    return `${first.nodeId} and ${second.nodeId} both accept writes of ${id}; close it on one of them`;
  }
  const following = holders.find((node) => node.subscriptions.includes(name));
  const leading = following === undefined ? undefined : holders.find((node) => node !== following);
  const primary = named === null ? (open[0] ?? leading ?? fewest(holders, before)) : byName(holders, named.primary);
  const follower = holders.find((node) => node !== primary);
  if (primary === undefined || follower === undefined || (named !== null && follower.nodeId !== named.follower)) {
    return `'owners' gives ${id} to ${named?.primary ?? ''} and ${named?.follower ?? ''}, but ${first.nodeId} and ${second.nodeId} hold it`;
  }
  if (open[0] !== undefined && open[0] !== primary) {
    return `'owners' makes ${primary.nodeId} the primary of ${id}, but ${open[0].nodeId} accepts its writes`;
  }
  if (following === primary) {
    return `${primary.nodeId} accepts writes of ${id}, or shall do so, but follows ${follower.nodeId}; drop its subscription ${name}`;
  }
  const unlike = unlikeTables(schemas, primary, follower);
  return unlike === null
    ? {
        id,
        schemas,
        epoch,
        primary: primary.nodeId,
        follower: follower.nodeId,
        served: open.length === 1 && following !== undefined,
      }
    : `${id} has other tables on ${primary.nodeId} than on ${follower.nodeId}: ${unlike}; make them the same`;
}

function held(node: NodeSurvey, id: string): ShardOnNode | undefined {
  return node.shards.find((shard) => shard.shard === id);
}

function byName(holders: readonly NodeSurvey[], nodeId: string): NodeSurvey | undefined {
  return holders.find((node) => node.nodeId === nodeId);
}

function fewest(holders: readonly NodeSurvey[], before: readonly PlannedShard[]): NodeSurvey | undefined {
  const primaries = ({ nodeId }: NodeSurvey): number => before.filter((shard) => shard.primary === nodeId).length;
  return [...holders].sort((left, right) => primaries(left) - primaries(right))[0];
}

function unlikeTables(schemas: readonly string[], primary: NodeSurvey, follower: NodeSurvey): string | null {
  const tables = (node: NodeSurvey): readonly string[] =>
    node.schemas
      .filter(({ schema }) => schemas.includes(schema))
      .flatMap(({ schema, tables: names }) => names.map((table) => `${schema}.${table}`));
  const [here, there] = [tables(primary), tables(follower)];
  const unlike = [...here.filter((name) => !there.includes(name)), ...there.filter((name) => !here.includes(name))];
  return unlike.length === 0 ? null : unlike.join(', ');
}

function tooMany(nodes: readonly NodeSurvey[], shards: readonly PlannedShard[]): readonly string[] {
  return nodes.flatMap(({ nodeId }) => {
    const primaries = shards.filter((shard) => shard.primary === nodeId).length;
    return primaries > maxPrimaries
      ? [`${nodeId} would be the primary of ${primaries} shards; at most ${maxPrimaries} are allowed`]
      : [];
  });
}

/** Whoever else applies changes to these rows would make them differ. */
function strangeSubscriptions(nodes: readonly NodeSurvey[], shards: readonly PlannedShard[]): readonly string[] {
  return nodes.flatMap(({ nodeId, subscriptions }) => {
    const ours = shards.filter((shard) => shard.follower === nodeId).map(followName);
    return subscriptions
      .filter((name) => !ours.includes(name))
      .map((name) => `${nodeId} has the subscription '${name}', which is not Rejoin's; drop it`);
  });
}
