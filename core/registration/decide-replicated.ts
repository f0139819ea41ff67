import { shardId } from '../cluster/names';
import type { NodeSurvey } from './decide-owners';
import type { OwnersInput } from './owners';
import type { PlannedShard } from './planned-shard';

/**
 * Decides whether nodes that answer are a replicated cluster: exactly one primary, and every other node a standby that
 * receives its log. All rows are one shard, whose primary that is; it needs no follower, for every node holds it.
 */
export function decideReplicated(
  owners: OwnersInput,
  nodes: readonly NodeSurvey[],
): { readonly shards: readonly PlannedShard[]; readonly problems: readonly string[] } {
  const problems = [...ownersProblem(owners), ...nodes.flatMap(standbyProblem)];
  const primaries = nodes.filter(({ replication }) => replication?.standby === false);
  const [primary, ...more] = primaries;
  if (primary === undefined) {
    problems.push(
      `none of ${namesOf(nodes)} is a primary; promote one of them, and let the others stream from it, or name the primary in rejoin.yaml`,
    );
    return { shards: [], problems };
  }
  if (more.length > 0) {
    problems.push(
      `${namesOf(primaries)} are primaries, and a replicated cluster has one; make standbys of the others by a copy of it (pg_basebackup)`,
    );
    return { shards: [], problems };
  }
  const schemas = primary.schemas.filter(({ tables }) => tables.length > 0).map(({ schema }) => schema);
  if (schemas.length === 0) {
    problems.push(
      `${primary.nodeId}, the primary, has no table; load the data first, so that its writes can be checked`,
    );
  }
  return { shards: problems.length > 0 ? [] : [wholeOf(primary, schemas)], problems };
}

function wholeOf({ nodeId, shards }: NodeSurvey, schemas: readonly string[]): PlannedShard {
  const id = shardId(0);
  const held = shards.find(({ shard }) => shard === id);
  return {
    id,
    schemas: [...schemas],
    epoch: Math.max(1, held?.epoch ?? 1),
    primary: nodeId,
    follower: null,
    served: held?.writable === true,
  };
}

function ownersProblem(owners: OwnersInput): string[] {
  return owners === 'databases'
    ? []
    : [
        "'owners' is for sharded clusters; leave it out, the databases of a replicated cluster say which node is the primary",
      ];
}

function standbyProblem({ nodeId, replication }: NodeSurvey): readonly string[] {
  return replication?.standby === true && !replication.streaming
    ? [
        `${nodeId} is a standby that receives no log; let its primary_conninfo lead to the primary, and see its server's log`,
      ]
    : [];
}

function namesOf(nodes: readonly NodeSurvey[]): string {
  return nodes.map(({ nodeId }) => nodeId).join(', ');
}
