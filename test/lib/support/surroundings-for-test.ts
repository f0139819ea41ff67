import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { ResourceNames } from '../../../core/permissions/permission';
import { provideSurroundings } from '../../../lib/constructs/surroundings';

const names: ResourceNames = {
  partition: 'aws',
  region: 'eu-central-1',
  account: '111122223333',
  clusters: ['orders'],
  tableArn: 'arn:aws:dynamodb:eu-central-1:111122223333:table/registry',
  backupsBucketArn: 'arn:aws:s3:::backups',
  evidenceBucketArn: 'arn:aws:s3:::evidence',
  keyArn: 'arn:aws:kms:eu-central-1:111122223333:key/0b5a4f1e-6f0c-4c4e-9f4e-1f2a3b4c5d6e',
  topicArn: 'arn:aws:sns:eu-central-1:111122223333:topic',
  eventBusArn: 'arn:aws:events:eu-central-1:111122223333:event-bus/rejoin',
  hostedZoneArn: 'arn:aws:route53:::hostedzone/Z1',
  settingsParameterArns: ['arn:aws:ssm:eu-central-1:111122223333:parameter/rejoin/clusters/orders'],
  secretArns: ['arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-??????'],
  proberFunctionArns: ['arn:aws:lambda:eu-central-1:111122223333:function:prober'],
  subnetArns: ['arn:aws:ec2:eu-central-1:111122223333:subnet/subnet-0123456789abcdef0'],
  launchTemplateArns: [],
  nodeRoleArns: [],
  quarantineGroupArns: [],
};

/** A stack in which steps and workflows can be made, without bundling and without a foundation. */
export function stackForTest(context: Record<string, unknown> = { 'aws:cdk:bundling-stacks': [] }): Stack {
  const stack = new Stack(new App({ context, analyticsReporting: false }), 'Test');
  provideSurroundings(stack, {
    names,
    environment: { REJOIN_TABLE: 'registry' },
    key: Key.fromKeyArn(stack, 'Key', names.keyArn),
    topic: Topic.fromTopicArn(stack, 'Topic', names.topicArn),
    bus: EventBus.fromEventBusName(stack, 'Bus', 'rejoin'),
    subnetIds: ['subnet-0123456789abcdef0'],
    stepsGroupId: 'sg-0123456789abcdef0',
    removal: RemovalPolicy.RETAIN,
  });
  return stack;
}
