import * as z from 'zod';
import { clusterSettingsSchema, nameSchema } from '../../core/cluster/settings';

/** The workflows that can be left out. */
export const optionalWorkflows = ['node-recovery', 'backup'] as const;
export type OptionalWorkflow = (typeof optionalWorkflows)[number];

const workflowsSchema = z.strictObject({
  'node-recovery': z.boolean().default(true).describe('Replaces a failed node and restores its rows.'),
  backup: z.boolean().default(true).describe('Full backups on a schedule and the capture of changes each minute.'),
});

/** rejoin.yaml. */
export const appSettingsSchema = z.strictObject({
  version: z.literal(1).describe('The version of this format.'),
  account: z
    .string()
    .regex(/^\d{12}$/, 'use the 12 digits of an account id, in quotes')
    .optional()
    .describe('The AWS account, in quotes. Left out: that of the credentials at deployment.'),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'use the name of a Region, such as eu-central-1')
    .optional()
    .describe('The AWS Region. Left out: that of the credentials at deployment.'),
  notify: z.array(z.email('use an e-mail address')).default([]).describe('Who is told how each execution ended.'),
  zone: z
    .strictObject({
      id: z
        .string()
        .regex(/^Z[A-Z0-9]{3,31}$/, 'use the id of a hosted zone, such as Z0123456789ABCDEFGHIJ')
        .describe('The Route 53 hosted zone with the records of the nodes.'),
      name: z
        .string()
        .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'use a domain name without a dot at its end, such as db.example.com')
        .describe("The zone's domain name."),
    })
    .describe('The hosted zone by which clients find nodes.'),
  vpc: z
    .strictObject({
      id: z.string().regex(/^vpc-[0-9a-f]{8,17}$/, 'use the id of a VPC, such as vpc-0123456789abcdef0'),
      endpoints: z
        .enum(['create', 'exists'])
        .default('exists')
        .describe(
          'How steps in the subnets of the sites reach the AWS APIs. `exists`: by endpoints or NAT that are there. `create`: by endpoints that are deployed; needs `cidr` and `routeTableIds`.',
        ),
      cidr: z
        .cidrv4('use the IPv4 range of the VPC, such as 10.0.0.0/16')
        .optional()
        .describe('The IPv4 range of the VPC: whom created endpoints let in.'),
      routeTableIds: z
        .array(z.string().regex(/^rtb-[0-9a-f]{8,17}$/, 'use ids of route tables, such as rtb-0123456789abcdef0'))
        .min(1)
        .optional()
        .describe("The route tables of the sites' subnets: they get the routes to S3 and DynamoDB."),
    })
    .describe('The network in which the nodes are. Steps that speak to databases run in the subnets of the sites.'),
  nodeRole: z
    .string()
    .regex(/^[\w+=,.@/-]{1,128}$/, 'use the name of an IAM role, without its ARN')
    .optional()
    .describe('EC2 nodes: the role of their instance profile. A launch may pass on this role and no other.'),
  keyArn: z
    .string()
    .regex(
      /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[0-9a-z-]{32,40}$/,
      'use the ARN of a KMS key, such as arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef',
    )
    .optional()
    .describe(
      'Your own KMS key, which encrypts everything that Rejoin keeps. Left out: one is made. Its policy must allow what docs/operate.md says.',
    ),
  workflows: workflowsSchema.prefault({}).describe('What is deployed.'),
  removal: z
    .enum(['retain', 'destroy'])
    .default('retain')
    .describe('What becomes of the registry, the buckets and the logs when the stacks are deleted.'),
  objectLockDays: z
    .int()
    .min(1)
    .max(365)
    .optional()
    .describe('Nobody can delete or overwrite backups and evidence for so many days. Can only be chosen at creation.'),
  clusters: z.record(nameSchema, clusterSettingsSchema).describe('The clusters by name.'),
});

export type AppSettings = z.infer<typeof appSettingsSchema>;

/** For editors: completion and checks while rejoin.yaml is written. */
export function editorSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(appSettingsSchema, { io: 'input', target: 'draft-7' });
  return { $schema, title: 'rejoin.yaml', ...schema };
}

/** As it is kept in `rejoin.schema.json`. */
export function editorSchemaText(): string {
  return `${JSON.stringify(editorSchema(), null, 2)}\n`;
}
