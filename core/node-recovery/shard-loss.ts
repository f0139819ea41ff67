import * as z from 'zod';
import type { BackupItem, Shard, SlotItem } from '../cluster/items';
import type { Manifest } from '../cluster/manifest';
import { ownedBy, survivorOf } from './ownership';
import type { Opinion } from './witnesses';

/** A shard of which only a backup is left, and what going back to it loses. */
export const shardLossSchema = z.strictObject({
  shard: z.string(),
  /** The shard's when it was found lost: another one means that somebody has it after all. */
  epoch: z.int(),
  /** The node whose log the positions belong to. */
  logOf: z.string(),
  /** The slot that the stored segments came out of. */
  slot: z.string(),
  /** Where the segments lead from and to. */
  changesFrom: z.string(),
  capturedTo: z.string(),
  /** Every write acknowledged before this moment is stored. */
  capturedAtMs: z.number(),
  /** The most that is lost, in seconds of acknowledged writes. */
  lossSeconds: z.number(),
  /** A primary besides the node that is replaced: it must be proved stopped, too. Null: there is none. */
  otherPrimary: z.string().nullable(),
});
export type ShardLoss = z.infer<typeof shardLossSchema>;

/** The node's shards that no silent node's other owner answers for. */
export function shardsWithoutSurvivor(
  shards: readonly Shard[],
  nodeId: string,
  silent: readonly string[],
): readonly Shard[] {
  return shards.filter((shard) => {
    const survivor = survivorOf(shard, nodeId);
    return ownedBy(shard, nodeId) && (survivor === null || silent.includes(survivor));
  });
}

export interface LossFacts {
  readonly shard: Shard;
  readonly nodeId: string;
  /** The newest usable backup and what it holds. */
  readonly backup: BackupItem;
  readonly manifest: Manifest;
  readonly slots: readonly SlotItem[];
  /** What agents wrote; an agent's newest is its node's last sign of life. */
  readonly opinions: readonly Opinion[];
  readonly changesEveryMinutes: number;
  readonly nowMs: number;
}

/** An agent writes its opinions every 4 s: its node may have lived for so long after the newest. */
const lifeAfterSignMs = 5_000;

/**
 * What going back to the backup loses of a shard: from the last moment whose writes are all stored until its owners' last
 * sign of life, and never less than a whole interval between captures. Where no sign is known, until now.
 *
 * @returns in words why the loss is not known, where it is not
 */
export function lossOf(facts: LossFacts): ShardLoss | string {
  const { shard, manifest, backup, nodeId } = facts;
  const entry = manifest.shards.find((candidate) => candidate.shard === shard.id);
  if (entry === undefined) {
    return `backup ${backup.id} does not hold ${shard.id}`;
  }
  const slot = facts.slots.find((candidate) => candidate.name === entry.slot);
  if (slot?.capturedAtMs === undefined) {
    return `the changes of ${shard.id} since backup ${backup.id} are not known to be stored`;
  }
  if (slot.capturedAtMs < (backup.finishedAtMs ?? Number.POSITIVE_INFINITY)) {
    return `the changes of ${shard.id} were not stored once after backup ${backup.id} was made`;
  }
  const owners = [shard.primary, shard.follower, shard.lostOwner];
  const signs = facts.opinions.filter(({ by }) => owners.includes(by)).map(({ atMs }) => atMs + lifeAfterSignMs);
  const livedToMs = signs.length === 0 ? facts.nowMs : Math.min(facts.nowMs, Math.max(...signs));
  const seconds = Math.ceil((livedToMs - slot.capturedAtMs) / 1_000);
  return {
    shard: shard.id,
    epoch: shard.epoch,
    logOf: entry.primary,
    slot: entry.slot,
    changesFrom: entry.changesFrom,
    capturedTo: slot.capturedTo,
    capturedAtMs: slot.capturedAtMs,
    lossSeconds: Math.max(facts.changesEveryMinutes * 60 + 1, seconds),
    otherPrimary: shard.primary === nodeId ? null : shard.primary,
  };
}
