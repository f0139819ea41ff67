import { Stack, type RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';

/** The user's own key, whose policy is theirs (docs/operate.md says what it must allow), or one that is made. */
export function foundationKey(
  scope: Construct,
  id: string,
  props: { readonly removalPolicy: RemovalPolicy; readonly keyArn: string | null },
): IKey {
  return props.keyArn === null ? new FoundationKey(scope, id, props) : Key.fromKeyArn(scope, id, props.keyArn);
}

/** The key of everything that Rejoin keeps. Roles get their use of it in their own policies; services get it here. */
class FoundationKey extends Key {
  constructor(scope: Construct, id: string, props: { readonly removalPolicy: RemovalPolicy }) {
    super(scope, id, {
      description: 'Encrypts the registry, backups, evidence, notifications, logs and executions of Rejoin',
      alias: 'alias/rejoin',
      enableKeyRotation: true,
      removalPolicy: props.removalPolicy,
    });
    const { partition, region, account } = Stack.of(this);
    const fromThisAccount = { StringEquals: { 'aws:SourceAccount': account } };
    this.addToResourcePolicy(
      new PolicyStatement({
        sid: 'LogGroups',
        principals: [new ServicePrincipal(`logs.${region}.amazonaws.com`)],
        actions: [
          'kms:Encrypt',
          'kms:Decrypt',
          'kms:ReEncryptFrom',
          'kms:ReEncryptTo',
          'kms:GenerateDataKey',
          'kms:DescribeKey',
        ],
        resources: ['*'],
        conditions: {
          ArnLike: { 'kms:EncryptionContext:aws:logs:arn': `arn:${partition}:logs:${region}:${account}:*` },
        },
      }),
    );
    this.addToResourcePolicy(
      new PolicyStatement({
        sid: 'ExecutionLogs',
        principals: [new ServicePrincipal('delivery.logs.amazonaws.com')],
        actions: ['kms:Decrypt'],
        resources: ['*'],
        conditions: fromThisAccount,
      }),
    );
    this.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsToTopic',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'],
        conditions: fromThisAccount,
      }),
    );
  }
}
