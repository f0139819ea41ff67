import * as z from 'zod';

/** Names that end up in host names, tags, keys and execution names. */
export const nameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'use 1 to 40 of a-z, 0-9 and -, beginning with a letter');

const nodeSettingsSchema = z.strictObject({
  site: z.string().min(1).describe('A name under `sites`: the Availability Zone in which the node runs.'),
  host: z.string().min(1).describe('The DNS name by which clients and other nodes reach its database server.'),
  machine: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('ec2'),
      instanceId: z.string().describe('The EC2 instance, such as i-0123456789abcdef0.'),
    }),
    z.strictObject({ kind: z.literal('rds'), instanceIdentifier: z.string().describe('The RDS instance identifier.') }),
  ]),
});

const backupSettingsSchema = z.strictObject({
  fullSchedule: z
    .string()
    .default('cron(0 2 ? * SUN *)')
    .describe('When full backups begin, as an EventBridge schedule expression, in UTC.'),
  changesEveryMinutes: z.int().min(1).max(60).default(1).describe('How often changes are captured to object storage.'),
  keepDays: z.int().min(1).max(365).default(14).describe('How long backups are kept.'),
  maxAgeDays: z.int().min(1).max(365).default(7).describe('A backup older than this is not restored from.'),
  rowsPerChunk: z.int().min(100).max(1_000_000).default(50_000),
  bytesPerChunk: z
    .int()
    .min(65_536)
    .max(67_108_864)
    .default(8_388_608)
    .describe('Bounds the memory of the steps that read and load a chunk.'),
});

const policySettingsSchema = z.strictObject({
  witnessesNeeded: z.int().min(2).max(3).default(2).describe('How many independent witnesses must call a node failed.'),
  minMinutesBetweenReplacements: z.int().min(0).max(1_440).default(30),
  maxReplacementsPerDay: z.int().min(1).max(24).default(3),
  maxLossBytes: z
    .int()
    .min(0)
    .default(16_777_216)
    .describe('Asynchronous clusters: the most log that a promotion may lose.'),
  maxPasses: z.int().min(1).max(20).default(20),
  enoughLagBytes: z
    .int()
    .min(0)
    .default(16_777_216)
    .describe('A pass that leaves no more lag than this is the last one.'),
  enoughPassMs: z.int().min(100).default(5_000).describe('A pass that took no longer than this may be the last one.'),
  maxPassRatio: z
    .number()
    .min(0.1)
    .max(0.99)
    .default(0.9)
    .describe('Two passes that shrink less than this end the run: it does not converge.'),
});

const clusterFields = z.strictObject({
  engine: z.literal('postgresql').default('postgresql'),
  layout: z
    .enum(['sharded', 'replicated'])
    .describe('`sharded`: each shard has two owners. `replicated`: each node holds all rows.'),
  shardCount: z
    .int()
    .min(1)
    .max(4_096)
    .optional()
    .describe(
      'Fixed when the cluster is created: a routing key belongs to hash modulo this. Left out: 16, and 1 with layout replicated.',
    ),
  database: z.string().min(1).max(63),
  port: z.int().min(1).max(65_535).default(5432),
  durability: z
    .enum(['synchronous', 'asynchronous'])
    .default('synchronous')
    .describe(
      '`synchronous`: a follower confirms each commit. `asynchronous`: a promotion may lose up to policy.maxLossBytes of log; the only one with RDS instances and with layout replicated.',
    ),
  promotion: z
    .enum(['rejoin', 'external'])
    .default('rejoin')
    .describe('`external`: Patroni or RDS Multi-AZ promotes; Rejoin waits for their primary.'),
  secret: z
    .string()
    .min(1)
    .describe("Name of the Secrets Manager secret with the administrator's `username` and `password`."),
  tls: z
    .enum(['verify-full', 'disabled'])
    .default('verify-full')
    .describe('`disabled` is refused outside loopback addresses.'),
  sites: z.record(z.string(), z.strictObject({ subnetId: z.string() })),
  launchTemplate: z.string().optional().describe('EC2 nodes: id of the launch template of replacements.'),
  quarantineGroup: z.string().optional().describe('Id of a security group without rules, which fences a machine.'),
  nodes: z.record(nameSchema, nodeSettingsSchema),
  backup: backupSettingsSchema.prefault({}),
  policy: policySettingsSchema.prefault({}),
});

const shardsByLayout = { sharded: 16, replicated: 1 } as const;

function fill<Given extends { readonly layout: keyof typeof shardsByLayout; readonly shardCount?: number | undefined }>(
  given: Given,
): Given & { readonly shardCount: number } {
  return { ...given, shardCount: given.shardCount ?? shardsByLayout[given.layout] };
}

/** One cluster of rejoin.yaml, defaults filled in. */
export const clusterSettingsSchema = clusterFields.transform(fill);
/** The same with its name, as it is kept for the steps. */
export const namedClusterSettingsSchema = clusterFields.extend({ name: z.string() }).transform(fill);

/** A cluster as the steps see it: its settings and its name. */
export type ClusterSettings = z.infer<typeof clusterSettingsSchema> & { readonly name: string };
export type RecoveryPolicy = ClusterSettings['policy'];
