import { databaseOf, ownerAddress, type ClusterRegistry } from '../cluster/cluster-registry';
import type { Fence, NodeItem, Shard } from '../cluster/items';
import { standbyName } from '../cluster/names';
import type { LogPosition } from '../cluster/position';
import type { ClusterSettings } from '../cluster/settings';
import { isRejoinError, messageOf, RejoinError } from '../errors';
import type { Clock } from '../ports/clock';
import type { DatabaseEngine, StandbyState } from '../ports/database-engine';
import type { Registry } from '../ports/registry';
import { poll } from '../step/poll';
import { chooseCandidate } from './choose-candidate';
import { shardAfterStandbyPromotion } from './ownership';
import { coveredToMs, readReportedPosition } from './reported-position';
import { inWords } from './witnesses';

/** What a standby's promotion works with. */
export interface StandbyScene {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly clusterRegistry: ClusterRegistry;
  readonly databases: Pick<DatabaseEngine, 'standbyState' | 'standBehind' | 'promoteStandby' | 'openShard'>;
  readonly cluster: ClusterSettings;
  readonly nodes: readonly NodeItem[];
  readonly failed: string;
  /** The proof that the failed machine is stopped; null before. */
  readonly fence: Fence | null;
}

export interface StandbyPromotion {
  readonly action: 'promoted' | 'already done';
  readonly lossBytes: number | null;
  readonly coveredToMs: number | null;
  readonly reason: string;
}

/** Patroni and its like have this long to make a primary. */
const externalTimeoutMs = 120_000;
const externalEveryMs = 2_000;
const promoteTimeoutMs = 30_000;

/** A node that answered, and how far it is. */
interface Seen {
  readonly node: NodeItem;
  readonly state: StandbyState;
}

/**
 * Makes a physical standby the primary of a replicated cluster (rule 6), where the failed node was it: behind the fence of
 * its machine, the standby that received the most of its log, or whom Patroni and its like made the primary. All other
 * standbys follow it from then on. Whatever was done already is only completed.
 *
 * @throws FenceNotProved; LossNotAccepted when too much would be lost, or nobody knows how much; NotProved when nobody
 * became the primary where somebody else promotes; ConditionFailed when the item was changed meanwhile
 */
export async function promoteStandby(scene: StandbyScene, shard: Shard): Promise<StandbyPromotion> {
  if (shard.primary !== scene.failed) {
    const left = await complete(scene, shard);
    const reason = `${shard.primary} has been the primary since epoch ${shard.epoch}${left}`;
    return { action: 'already done', lossBytes: null, coveredToMs: null, reason };
  }
  if (scene.fence === null) {
    throw new RejoinError(
      'FenceNotProved',
      `a standby may become the primary only when ${scene.failed}'s machine is proved stopped`,
    );
  }
  const chosen = scene.cluster.promotion === 'external' ? await awaitTheirs(scene) : await choose(scene);
  const after = shardAfterStandbyPromotion(shard, chosen.nodeId, scene.fence);
  // Before the promotion: whoever dies in between is found by the item, and the next try completes it.
  const left = await complete(scene, await scene.clusterRegistry.changeShard(scene.cluster.name, shard, after));
  return {
    action: 'promoted',
    lossBytes: chosen.lossBytes,
    coveredToMs: chosen.coveredToMs,
    reason: `${chosen.reason}${left}`,
  };
}

interface Chosen extends Pick<StandbyPromotion, 'lossBytes' | 'coveredToMs' | 'reason'> {
  readonly nodeId: string;
}

async function choose(scene: StandbyScene): Promise<Chosen> {
  const { cluster, failed } = scene;
  const [report, seen] = await Promise.all([
    readReportedPosition(scene.registry, cluster.name, failed),
    askOthers(scene),
  ]);
  const choice = chooseCandidate({
    subject: `cluster '${cluster.name}'`,
    oldPrimary: failed,
    lastReported: report?.position ?? null,
    candidates: seen.map(({ node, state }) => ({ nodeId: node.id, site: node.site, received: receivedBy(state) })),
    clientSite: null,
    maxLossBytes: cluster.policy.maxLossBytes,
  });
  if (choice.action === 'refuse') {
    throw new RejoinError('LossNotAccepted', choice.reason);
  }
  const received = seen.find(({ node }) => node.id === choice.nodeId)?.state;
  const position = received === undefined ? null : receivedBy(received);
  const covered = report === null || position === null ? null : coveredToMs(report, position);
  const until = covered === null ? '' : `; it has all that was acknowledged before ${new Date(covered).toISOString()}`;
  return {
    nodeId: choice.nodeId,
    lossBytes: choice.lossBytes,
    coveredToMs: covered,
    reason: `${choice.reason} of what was reported${until}`,
  };
}

/** Only a standby has received anything; a second primary is nobody's successor. */
function receivedBy({ standby, receivedTo, replayedTo }: StandbyState): LogPosition | null {
  return standby ? (receivedTo ?? replayedTo) : null;
}

/** Somebody else promotes: whoever is no standby any more is the primary. What was lost is theirs to tell. */
async function awaitTheirs(scene: StandbyScene): Promise<Chosen> {
  const limits = { timeoutMs: externalTimeoutMs, everyMs: externalEveryMs };
  const theirs = await poll(scene.clock, limits, async () => {
    const primaries = (await askOthers(scene)).filter(({ state }) => !state.standby);
    if (primaries.length > 1) {
      throw new RejoinError(
        'NotProved',
        `${inWords(primaries.map(({ node }) => node.id))} are primaries at the same time; stop all but one of them first`,
      );
    }
    return primaries[0]?.node.id ?? null;
  });
  if (theirs === null) {
    throw new RejoinError(
      'NotProved',
      `promotion is external, and nobody became the primary of cluster '${scene.cluster.name}' within ${externalTimeoutMs / 1_000} s`,
    );
  }
  const reason = `${theirs} was made the primary by whoever promotes here`;
  return { nodeId: theirs, lossBytes: null, coveredToMs: null, reason };
}

async function askOthers(scene: StandbyScene): Promise<readonly Seen[]> {
  const others = scene.nodes.filter((node) => node.state === 'serving' && node.id !== scene.failed);
  const answers = await Promise.all(
    others.map(async (node): Promise<readonly Seen[]> => {
      try {
        return [{ node, state: await scene.databases.standbyState(databaseOf(scene.cluster, node)) }];
      } catch (thrown) {
        if (!isRejoinError(thrown, 'SqlUnavailable')) {
          throw thrown;
        }
        return [];
      }
    }),
  );
  return answers.flat();
}

/**
 * What follows from an item that is written: the primary accepts writes at its epoch, and the others stand behind it.
 *
 * @returns in words who does not follow it; nothing where all do
 */
async function complete(scene: StandbyScene, shard: Shard): Promise<string> {
  const { cluster, databases } = scene;
  const rejoin = cluster.promotion === 'rejoin';
  const primary = ownerAddress(cluster, scene.nodes, shard.primary);
  if (rejoin) {
    await databases.promoteStandby(primary, { timeoutMs: promoteTimeoutMs });
  }
  await databases.openShard(primary, { shard: shard.id, epoch: shard.epoch });
  const others = scene.nodes.filter(
    ({ id, state }) => rejoin && state === 'serving' && id !== shard.primary && id !== scene.failed,
  );
  const lame = await Promise.all(
    others.map(async (node): Promise<readonly string[]> => {
      try {
        await databases.standBehind(databaseOf(cluster, node), { name: standbyName(node.id), primary });
        return [];
      } catch (thrown) {
        if (!isRejoinError(thrown)) {
          throw thrown;
        }
        // Whatever keeps one from following must not keep the primary from serving: it is replaced later.
        return [`${node.id} does not follow it: ${messageOf(thrown)}`];
      }
    }),
  );
  return lame.flatMap((those) => those.map((why) => `; ${why}`)).join('');
}
