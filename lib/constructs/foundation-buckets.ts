import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { BucketProps, IBucket } from 'aws-cdk-lib/aws-s3';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

export interface FoundationBucketsProps {
  readonly key: IKey;
  readonly removalPolicy: RemovalPolicy;
  /** Null: no Object Lock. */
  readonly objectLockDays: number | null;
}

/** Backups and evidence: encrypted, versioned, reached by TLS only, each access logged. */
export class FoundationBuckets extends Construct {
  readonly backups: Bucket;
  readonly evidence: Bucket;

  constructor(scope: Construct, id: string, props: FoundationBucketsProps) {
    super(scope, id);
    const closed = {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: props.removalPolicy,
    } satisfies BucketProps;
    // The class declares optional fields otherwise than its interface does (exactOptionalPropertyTypes).
    const accessLogs = new Bucket(this, 'AccessLogs', {
      ...closed,
      // The service that delivers access logs can't use a customer's key without a grant of its own.
      encryption: BucketEncryption.S3_MANAGED,
      versioned: true,
      lifecycleRules: [{ id: 'expire', expiration: Duration.days(90), noncurrentVersionExpiration: Duration.days(7) }],
    }) as IBucket;
    const kept = {
      ...closed,
      encryption: BucketEncryption.KMS,
      encryptionKey: props.key,
      // One data key serves many objects: a backup of 10,000 chunks is not 10,000 calls of KMS.
      bucketKeyEnabled: true,
      versioned: true,
      serverAccessLogsBucket: accessLogs,
      ...lockFor(props.objectLockDays),
    } satisfies BucketProps;
    this.backups = new Bucket(this, 'Backups', {
      ...kept,
      serverAccessLogsPrefix: 'backups/',
      lifecycleRules: [
        {
          id: 'remove-what-was-left',
          abortIncompleteMultipartUploadAfter: Duration.days(1),
          // Backups are removed by the workflow; what it removed can be had back for a week.
          noncurrentVersionExpiration: Duration.days(7),
          expiredObjectDeleteMarker: true,
        },
      ],
    });
    this.evidence = new Bucket(this, 'Evidence', {
      ...kept,
      serverAccessLogsPrefix: 'evidence/',
      lifecycleRules: [
        {
          id: 'remove-what-was-replaced',
          abortIncompleteMultipartUploadAfter: Duration.days(1),
          noncurrentVersionExpiration: Duration.days(90),
        },
      ],
    });
  }
}

function lockFor(days: number | null): Pick<BucketProps, 'objectLockEnabled' | 'objectLockDefaultRetention'> {
  return days === null
    ? {}
    : { objectLockEnabled: true, objectLockDefaultRetention: ObjectLockRetention.governance(Duration.days(days)) };
}
