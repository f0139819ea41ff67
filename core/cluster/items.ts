import * as z from 'zod';

/** Proof that a node can no longer accept writes. */
export const fenceSchema = z.strictObject({
  /** `follower`: the synchronous follower stopped confirming and won the conditional write. `machine`: the machine API says stopped and probes agree. */
  kind: z.enum(['follower', 'machine']),
  /** What the machine API, or the follower's server, said. */
  api: z.string(),
  /** What each independent probe saw. */
  probes: z.array(z.string()),
  atMs: z.number(),
});
export type Fence = z.infer<typeof fenceSchema>;

export const shardStates = ['in sync', 'single copy', 'restoring', 'moving'] as const;

/** `CLUSTER#c / SHARD#id`: who owns a shard. Changed by conditional write on `epoch` only. */
export const shardSchema = z.strictObject({
  id: z.string(),
  /** The schemas whose tables are this shard; usually one, named as the shard. */
  schemas: z.array(z.string()).min(1),
  epoch: z.number().int(),
  primary: z.string(),
  follower: z.string().nullable(),
  /** Grows with each write of this item, also where the epoch stays. */
  version: z.number().int(),
  state: z.enum(shardStates),
  /** The fence before the newest promotion; null until the first one. */
  fence: fenceSchema.nullable(),
  /** While one copy is left: the node that owned the other one. Absent while it has two owners. */
  lostOwner: z.string().exactOptional(),
});
export type Shard = z.infer<typeof shardSchema>;

export const nodeStates = ['serving', 'silent', 'building', 'retired'] as const;

/** `CLUSTER#c / NODE#id`: one member of a cluster and the machine that it runs on. */
export const nodeSchema = z.strictObject({
  id: z.string(),
  site: z.string(),
  machineKind: z.enum(['ec2', 'rds']),
  /** The EC2 instance id or the RDS instance identifier. */
  machineId: z.string(),
  host: z.string(),
  port: z.number().int(),
  state: z.enum(nodeStates),
  /** The execution that builds it, while `building`. */
  builder: z.string().nullable(),
  /** When an automatic replacement of this node began; newest last; older than a day are dropped. */
  replacedAtMs: z.array(z.number()),
});
export type NodeItem = z.infer<typeof nodeSchema>;

/** `CLUSTER#c / META`. */
export const clusterMetaSchema = z.strictObject({
  name: z.string(),
  engine: z.literal('postgresql'),
  layout: z.enum(['sharded', 'replicated']),
  shardCount: z.number().int(),
  /** Grows with each decision about the cluster. */
  epoch: z.number().int(),
});
export type ClusterMeta = z.infer<typeof clusterMetaSchema>;

/** `CLUSTER#c / DECISION#epoch`: what was decided, by whom, why. */
export const decisionSchema = z.strictObject({
  epoch: z.number().int(),
  by: z.string(),
  what: z.string(),
  reason: z.string(),
  atMs: z.number(),
});
export type DecisionItem = z.infer<typeof decisionSchema>;

/** `CLUSTER#c / SLOT#name`: how far a change slot has been captured to object storage. */
export const slotSchema = z.strictObject({
  name: z.string(),
  shard: z.string(),
  epoch: z.number().int(),
  /** The node on which the slot lives. */
  nodeId: z.string(),
  /** Everything before this position is in the backup that the slot was opened for. */
  openedAt: z.string(),
  /** Everything up to this position is stored in segments. */
  capturedTo: z.string(),
  /** Every write acknowledged before this moment is stored. Absent until a capture has come to the end of the changes. */
  capturedAtMs: z.number().exactOptional(),
});
export type SlotItem = z.infer<typeof slotSchema>;

/** `CLUSTER#c / BACKUP#id`: one logical backup and whether it could be restored when last tried. */
export const backupSchema = z.strictObject({
  id: z.string(),
  manifestKey: z.string(),
  state: z.enum(['running', 'complete', 'verified', 'damaged']),
  shardCount: z.number().int(),
  startedAtMs: z.number(),
  finishedAtMs: z.number().nullable(),
  /** Why it is damaged; null otherwise. */
  damage: z.string().nullable(),
});
export type BackupItem = z.infer<typeof backupSchema>;
