import * as z from 'zod';
import type { Check, Evidence, EvidenceFacts, Milestones } from '../evidence/evidence';
import type { StepRecord } from '../ledger/run-ledger';
import type { StateVisit } from '../ports/surroundings';
import { passSummarySchema } from '../restore/convergence';
import { restoreSlotSchema } from '../restore/work-order';
import { fenceSchema, type Fence, type Shard } from '../cluster/items';

/** What the rows part leaves behind. */
export const restoredSchema = z.object({
  /** Null, as the four below, where a volume was restored: nobody chooses or counts its rows. */
  workKey: z.string().nullable(),
  rows: z.number().nullable(),
  bytes: z.number().nullable(),
  chunks: z.number().nullable(),
  damagedChunks: z.number().nullable(),
  passes: z.array(passSummarySchema),
  rowsRepaired: z.number(),
  comparedRows: z.number(),
  slots: z.array(restoreSlotSchema),
});
export type Restored = z.infer<typeof restoredSchema>;

/** What is known at the end of a recovery. */
export interface RecoveryTrace {
  readonly nodeId: string;
  readonly replacement: string | null;
  readonly outcome: EvidenceFacts['ending']['outcome'];
  readonly startedAtMs: number;
  readonly durability: 'synchronous' | 'asynchronous';
  readonly layout: 'sharded' | 'replicated';
  /** The ids of the shards that were recovered. */
  readonly recovered: readonly string[];
  /** Those besides of which only a backup was left. */
  readonly lost: readonly string[];
  readonly shards: readonly Shard[];
  readonly records: readonly StepRecord[];
  readonly visits: readonly StateVisit[];
  readonly restored: Restored | null;
}

/** Of asynchronous clusters: the log between what a promoted owner has and the old primary's last report. */
export const reportedLossFigure = 'reported log that was lost at most';

/** The parts of the evidence that this workflow knows how to read out of its records. */
export type RecoveryFindings = Pick<
  EvidenceFacts,
  'milestonesMs' | 'recoveryPointSeconds' | 'fences' | 'passes' | 'checks' | 'figures'
>;

export function recoveryFindings(trace: RecoveryTrace): RecoveryFindings {
  const fences = fencesOf(trace);
  return {
    milestonesMs: milestonesOf(trace, fences),
    recoveryPointSeconds: recoveryPointSeconds(trace),
    fences,
    passes: trace.restored?.passes ?? [],
    checks: checksOf(trace, fences),
    figures: figuresOf(trace),
  };
}

const fencingSchema = z.object({ accepted: z.array(z.string()) });
const promotionSchema = z.object({
  shard: z.string(),
  action: z.string(),
  lossBytes: z.number().nullable(),
  coveredToMs: z.number().nullable(),
});
const openedSchema = z.object({ shard: z.string(), lossSeconds: z.number() });
const proofSchema = z.object({ nodeId: z.string(), fence: fenceSchema.nullable() });

/** Followers' fences are in the shards' items, the machine's is in the answer of the step that proved it. */
function fencesOf({ records, shards }: RecoveryTrace): Evidence['fences'] {
  const accepted = records
    .filter((record) => record.step === 'fence-node')
    .flatMap((record) => fencingSchema.safeParse(record.result).data?.accepted ?? []);
  const promoted = promotionsOf(records).map(({ shard }) => shard);
  const ofShards = shards
    .filter((shard) => accepted.includes(shard.id) || promoted.includes(shard.id))
    .flatMap((shard) => (shard.fence === null ? [] : [{ of: shard.id, fence: shard.fence }]));
  return [...ofShards, ...machineFencesOf(records)];
}

function machineFencesOf(records: readonly StepRecord[]): readonly { readonly of: string; readonly fence: Fence }[] {
  return records
    .filter((record) => record.step === 'prove-stopped')
    .flatMap((record) => {
      const proof = proofSchema.safeParse(record.result).data;
      return proof === undefined || proof.fence === null ? [] : [{ of: proof.nodeId, fence: proof.fence }];
    });
}

function promotionsOf(records: readonly StepRecord[]): readonly z.infer<typeof promotionSchema>[] {
  return records
    .filter((record) => record.step === 'promote-survivor')
    .flatMap((record) => promotionSchema.safeParse(record.result).data ?? [])
    .filter(({ action }) => action === 'promoted');
}

function openedOf(records: readonly StepRecord[]): readonly z.infer<typeof openedSchema>[] {
  return records
    .filter((record) => record.step === 'open-lost-shard')
    .flatMap((record) => openedSchema.safeParse(record.result).data ?? []);
}

/**
 * The most that can be lost. Of shards that came from a backup: what was accepted. Asynchronous: from the moment up to
 * which the promoted owners are known to have everything, until the fence, after which nothing can have been
 * acknowledged; so more than was really lost.
 */
function recoveryPointSeconds({ durability, recovered, lost, records }: RecoveryTrace): number | null {
  if (lost.length > 0) {
    const opened = openedOf(records);
    return opened.length < lost.length ? null : Math.max(...opened.map(({ lossSeconds }) => lossSeconds));
  }
  if (recovered.length === 0) {
    return null;
  }
  if (durability === 'synchronous') {
    return 0;
  }
  const promotions = promotionsOf(records);
  const fence = machineFencesOf(records)[0]?.fence;
  const covered = promotions.flatMap((promotion) => promotion.coveredToMs ?? []);
  if (fence === undefined || promotions.length === 0 || covered.length < promotions.length) {
    return null;
  }
  return (fence.atMs - Math.min(...covered)) / 1_000;
}

/**
 * Traffic is restored when the last shard that was taken over accepts writes: where agents did it, at their fence, which
 * is before the execution began, and so a negative number.
 */
function milestonesOf({ startedAtMs, visits, outcome }: RecoveryTrace, fences: Evidence['fences']): Milestones {
  const left = (state: string): number | null => {
    const exits = visits.filter((visit) => visit.state === state).flatMap((visit) => visit.exitedAtMs ?? []);
    return exits.length === 0 ? null : Math.max(...exits) - startedAtMs;
  };
  const follower = fences.filter(({ fence }) => fence.kind === 'follower').map(({ fence }) => fence.atMs);
  const promotedAtMs = follower.length === 0 ? null : Math.max(...follower) - startedAtMs;
  return {
    fenced: left('Prove that the failed machine is stopped') ?? left('Prove that the replaced machine is stopped'),
    trafficRestored: promotedAtMs ?? left('Promote the surviving owners'),
    inSync: left('Compare rows with the survivor') ?? left('Compare all rows with the primary'),
    joined: outcome === 'recovered' ? (left('Hand over to native replication') ?? left('Join the cluster')) : null,
  };
}

function checksOf(trace: RecoveryTrace, fences: Evidence['fences']): readonly Check[] {
  if (trace.outcome !== 'recovered') {
    return [];
  }
  const { nodeId, replacement, recovered, shards } = trace;
  const mine = shards.filter((shard) => recovered.includes(shard.id));
  const inSync = mine.filter((shard) => shard.state === 'in sync');
  const owned = mine.filter((shard) => shard.primary === replacement || shard.follower === replacement);
  const old = shards.filter((shard) => shard.primary === nodeId || shard.follower === nodeId);
  const machine = fences.filter(({ of, fence }) => of === nodeId && fence.kind === 'machine');
  const opened = openedOf(trace.records);
  const standbys = trace.records.filter((record) => record.step === 'join-standby' && record.ok);
  return [
    ...(trace.layout === 'replicated'
      ? [
          check('shards in sync', recovered.length, inSync.length),
          check('standbys that joined with every row of their primary', 1, standbys.length),
        ]
      : [
          check('shards with two owners in sync', recovered.length, inSync.length),
          check('shards owned by the replacement', recovered.length, owned.length),
        ]),
    check('shards still owned by the failed node', 0, old.length),
    check('proofs that the failed machine is stopped', 1, machine.length),
    ...(trace.lost.length === 0 ? [] : [check('shards opened from a backup', trace.lost.length, opened.length)]),
  ];
}

function check(name: string, expected: number, got: number): Check {
  return { name, ok: expected === got, expected: String(expected), got: String(got) };
}

function figuresOf({ restored, recovered, records, durability }: RecoveryTrace): Evidence['figures'] {
  const lost = promotionsOf(records).flatMap(({ lossBytes }) => lossBytes ?? []);
  return [
    ...(durability === 'synchronous'
      ? []
      : [{ name: reportedLossFigure, value: lost.length === 0 ? null : Math.max(...lost), unit: 'bytes' }]),
    ...openedOf(records).map(({ shard, lossSeconds }) => ({
      name: `acknowledged writes of ${shard} that are lost at most`,
      value: lossSeconds,
      unit: 'seconds',
    })),
    { name: 'shards recovered', value: recovered.length, unit: 'shards' },
    { name: 'rows restored', value: restored?.rows ?? null, unit: 'rows' },
    { name: 'bytes restored', value: restored?.bytes ?? null, unit: 'bytes' },
    { name: 'chunks restored', value: restored?.chunks ?? null, unit: 'chunks' },
    { name: 'damaged chunks read from the other owner', value: restored?.damagedChunks ?? null, unit: 'chunks' },
    { name: 'rows compared', value: restored?.comparedRows ?? null, unit: 'rows' },
    { name: 'rows repaired after a gap between two lineages', value: restored?.rowsRepaired ?? null, unit: 'rows' },
  ];
}
