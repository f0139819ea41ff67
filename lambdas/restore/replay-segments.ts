import * as z from 'zod';
import { lz4 } from '../../adapters/codec';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import type { Codec } from '../../core/backup/codec';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { RejoinError } from '../../core/errors';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { replaySegments } from '../../core/restore/replay';
import { readWorkShard } from '../../core/restore/restore-shard';
import { replacementSchema } from '../../core/restore/work-order';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'applyChanges' | 'appliedTo'>;
  readonly codec: Codec;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  workKey: z.string(),
  replacement: replacementSchema,
  shard: z.string(),
  /** Grows when shards start again: the answers of an earlier attempt are none for this one. */
  attempt: z.int().min(1),
  /** How many calls went before: each goes on where the target is. */
  turn: z.int().min(0),
});

/** Left for the segment that was begun, and the answer. */
const reserveMs = 120_000;

/**
 * Replays a shard's stored segments after its rows, in order, as far as they lead without a gap.
 *
 * @throws LossNotAccepted when that is not to their end, and no owner lives whose rows could be compared afterwards
 */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'replay-segments', input: inputSchema, effect: 'changes' }, async (input, context) => {
    const { work } = await readWorkShard(ports.backups, input.workKey, input.shard);
    if (work.lineage === null) {
      return { shard: work.shard, done: true, segments: 0, rows: 0, bytes: 0, appliedTo: null, stoppedBy: null };
    }
    const addresses = new AddressBook(new ClusterRegistry(ports.registry), ports.settings);
    const target = await addresses.at(input.cluster, input.replacement);
    const order = { cluster: input.cluster, shard: work.shard, lineage: work.lineage };
    const replayed = await replaySegments(ports, target, order, () => context.remainingMs() > reserveMs);
    if (work.survivor === null && replayed.stoppedBy !== null) {
      throw new RejoinError(
        'LossNotAccepted',
        `the stored changes of ${work.shard} could be replayed to ${replayed.appliedTo} only: ${replayed.stoppedBy}; no owner lives to compare with, so more would be lost than was accepted`,
      );
    }
    return { shard: work.shard, ...replayed };
  });

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
  codec: lz4,
});
