import { loadSettings } from '../../lib/config/load';
import { exampleApp, exampleFile, resourcesOf, templatesOf } from './support/example-app';

const templates = templatesOf(exampleApp());

describe.each(resourcesOf(templates, 'AWS::S3::Bucket'))('bucket %s', (path, bucket) => {
  test('is closed, versioned, encrypted, and kept', () => {
    expect(bucket.Properties).toMatchObject({
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      VersioningConfiguration: { Status: 'Enabled' },
      LifecycleConfiguration: { Rules: expect.any(Array) as unknown },
    });
    const algorithm = path.includes('AccessLogs') ? 'AES256' : 'aws:kms';
    expect(JSON.stringify(bucket.Properties['BucketEncryption'])).toContain(algorithm);
    expect(bucket.DeletionPolicy).toBe('Retain');
  });

  test('is reached by TLS only', () => {
    const id = path.split('/')[1];
    const policies = resourcesOf(templates, 'AWS::S3::BucketPolicy')
      .map(([, { Properties }]) => Properties)
      .filter(({ Bucket: of }) => (of as { Ref: string }).Ref === id);
    expect(JSON.stringify(policies)).toContain('"aws:SecureTransport":"false"');
  });
});

test('the registry can be restored to any second, is encrypted, protected, and forgets on time', () => {
  expect(resourcesOf(templates, 'AWS::DynamoDB::Table').map(([, table]) => table)).toEqual([
    expect.objectContaining({
      DeletionPolicy: 'Retain',
      Properties: expect.objectContaining({
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        DeletionProtectionEnabled: true,
        SSESpecification: expect.objectContaining({ SSEEnabled: true, SSEType: 'KMS' }) as unknown,
        TimeToLiveSpecification: { AttributeName: 'expiresAtSeconds', Enabled: true },
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
      }) as unknown,
    }),
  ]);
});

test.each(resourcesOf(templates, 'AWS::SNS::Topic'))('topic %s is encrypted', (_path, { Properties }) => {
  expect(Properties['KmsMasterKeyId']).toBeDefined();
});

test('alarms may publish to the topic, and nobody may without TLS', () => {
  const policies = JSON.stringify(resourcesOf(templates, 'AWS::SNS::TopicPolicy'));
  expect(policies).toContain('"Principal":{"Service":"cloudwatch.amazonaws.com"}');
  expect(policies).toContain('"aws:SecureTransport":"false"');
});

test.each(resourcesOf(templates, 'AWS::Logs::LogGroup'))(
  'log group %s ends and is encrypted',
  (_path, { Properties }) => {
    expect(Properties['RetentionInDays']).toBe(90);
    expect(Properties['KmsKeyId']).toBeDefined();
  },
);

test.each(resourcesOf(templates, 'AWS::Lambda::Function'))(
  'function %s has its limits, log and source',
  (_path, { Properties, Metadata }) => {
    expect(Properties).toMatchObject({
      Runtime: 'nodejs22.x',
      Architectures: ['x86_64'],
      LoggingConfig: { LogGroup: { Ref: expect.any(String) as unknown } },
    });
    expect(Properties['Timeout']).toBeGreaterThan(0);
    expect(Properties['MemorySize']).toBeGreaterThanOrEqual(128);
    expect(Metadata?.['rejoin:entry']).toMatch(/^lambdas\/[a-z-]+\/[a-z-]+\.ts$/);
  },
);

test('no two functions share a log group', () => {
  const groups = resourcesOf(templates, 'AWS::Lambda::Function').map(([path, { Properties }]) =>
    JSON.stringify([path.split('/')[0], Properties['LoggingConfig']]),
  );
  expect(new Set(groups).size).toBe(groups.length);
});

test.each(resourcesOf(templates, 'AWS::StepFunctions::StateMachine'))(
  'state machine %s logs everything, is traced, and is encrypted with our key',
  (_path, { Properties }) => {
    expect(Properties).toMatchObject({
      StateMachineName: expect.stringMatching(/^rejoin-[a-z-]+$/) as unknown,
      LoggingConfiguration: { Level: 'ALL', IncludeExecutionData: true },
      TracingConfiguration: { Enabled: true },
      EncryptionConfiguration: { Type: 'CUSTOMER_MANAGED_KMS_KEY' },
    });
  },
);

test.each(resourcesOf(templates, 'AWS::StepFunctions::StateMachine'))(
  'people are told of each bad end of %s',
  (path) => {
    const [stack, id] = path.split('/');
    const metrics = resourcesOf(templates, 'AWS::CloudWatch::Alarm')
      .filter(
        ([alarm, { Properties }]) =>
          alarm.startsWith(`${stack ?? ''}/`) && JSON.stringify(Properties).includes(`"${id ?? ''}"`),
      )
      .filter(([, { Properties }]) => JSON.stringify(Properties['AlarmActions'] ?? []).includes('rejoin-topic-arn'))
      .map(([, { Properties }]) => Properties['MetricName']);
    expect(metrics).toEqual(
      expect.arrayContaining(['ExecutionsFailed', 'ExecutionsTimedOut', 'ExecutionsAborted', 'ExecutionThrottled']),
    );
  },
);

test('a cluster is one parameter that the steps can read', () => {
  const parameters = resourcesOf(templates, 'AWS::SSM::Parameter');
  expect(parameters.map(([, { Properties }]) => Properties['Name'])).toEqual([
    '/rejoin/clusters/orders',
    '/rejoin/clusters/invoices',
  ]);
});

test('a cluster without a quarantine group of its own gets one that lets nothing through', () => {
  const groups = resourcesOf(templates, 'AWS::EC2::SecurityGroup').filter(([path]) => path.includes('Quarantine'));
  expect(groups).toHaveLength(2);
  for (const [, { Properties }] of groups) {
    expect(Properties['SecurityGroupIngress']).toBeUndefined();
    expect(Properties['SecurityGroupEgress']).toEqual([expect.objectContaining({ CidrIp: '255.255.255.255/32' })]);
  }
});

test('what may be destroyed is destroyed, and only where rejoin.yaml says so', () => {
  const destroyed = templatesOf(exampleApp({ removal: 'destroy' }));
  const kept = ['AWS::S3::Bucket', 'AWS::DynamoDB::Table', 'AWS::KMS::Key'];
  for (const type of kept) {
    expect(resourcesOf(destroyed, type).map(([, { DeletionPolicy }]) => DeletionPolicy)).not.toContain('Retain');
    expect(resourcesOf(templates, type).map(([, { DeletionPolicy }]) => DeletionPolicy)).not.toContain('Delete');
  }
});

test('objects are locked where rejoin.yaml says so', () => {
  const locked = resourcesOf(templatesOf(exampleApp({ objectLockDays: 30 })), 'AWS::S3::Bucket').filter(
    ([, { Properties }]) => Properties['ObjectLockEnabled'] === true,
  );
  expect(locked).toHaveLength(2);
  expect(JSON.stringify(locked)).toContain('"DefaultRetention":{"Days":30,"Mode":"GOVERNANCE"}');
});

test('a workflow that is switched off leaves no stack', () => {
  const { workflows } = loadSettings(exampleFile).settings;
  const names = (changes: Partial<typeof workflows>): string[] => [
    ...templatesOf(exampleApp({ workflows: { ...workflows, ...changes } })).keys(),
  ];
  expect(names({})).toEqual(['RejoinFoundation', 'RejoinRegistration', 'RejoinBackup', 'RejoinNodeRecovery']);
  expect(names({ backup: false })).toEqual(['RejoinFoundation', 'RejoinRegistration', 'RejoinNodeRecovery']);
  expect(names({ backup: false, 'node-recovery': false })).toEqual(['RejoinFoundation', 'RejoinRegistration']);
});

test('slots that hold back half of what a server keeps, and backups that are too old, reach people', () => {
  const alarms = resourcesOf(templates, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  const of = (metric: string) => alarms.filter(({ MetricName: name }) => name === metric);
  expect(of('SlotRetainedPercent')).toHaveLength(6);
  for (const alarm of of('SlotRetainedPercent')) {
    expect(alarm).toMatchObject({ Threshold: 50, ComparisonOperator: 'GreaterThanThreshold', Statistic: 'Maximum' });
    expect(JSON.stringify(alarm['AlarmActions'])).toContain('rejoin-topic-arn');
  }
  expect(of('BackupAge').map(({ AlarmName: name, Threshold: seconds }) => [name, seconds])).toEqual([
    ['rejoin/backup-age/orders', 7 * 86_400],
    ['rejoin/backup-age/invoices', 7 * 86_400],
  ]);
  for (const alarm of of('BackupAge')) {
    expect(alarm).toMatchObject({ TreatMissingData: 'breaching' });
  }
});

describe('a network without ways to the APIs', () => {
  const vpc = {
    id: 'vpc-0123456789abcdef0',
    endpoints: 'create' as const,
    cidr: '10.0.0.0/16',
    routeTableIds: ['rtb-0123456789abcdef0'],
  };
  const made = templatesOf(exampleApp({ vpc }));
  const endpoints = resourcesOf(made, 'AWS::EC2::VPCEndpoint').map(([, { Properties }]) => Properties);

  test('gets an endpoint of each service that steps in it call', () => {
    const names = (type: string) =>
      endpoints
        .filter(({ VpcEndpointType: of }) => of === type)
        .map(({ ServiceName: name }) => /\.([a-z0-9]+)"\]\]\}$/.exec(JSON.stringify(name))?.[1]);
    expect(names('Interface')).toEqual([
      'secretsmanager',
      'ssm',
      'states',
      'monitoring',
      'sns',
      'events',
      'ec2',
      'rds',
      'lambda',
    ]);
    expect(names('Gateway')).toEqual(['s3', 'dynamodb']);
  });

  test('lets the network in by TLS, and nobody else', () => {
    const groups = resourcesOf(made, 'AWS::EC2::SecurityGroup').filter(([path]) => path.includes('Endpoints'));
    expect(groups.map(([, { Properties }]) => Properties['SecurityGroupIngress'])).toEqual([
      [expect.objectContaining({ CidrIp: '10.0.0.0/16', FromPort: 443, ToPort: 443, IpProtocol: 'tcp' })],
    ]);
    for (const { VpcEndpointType: type, SubnetIds: subnets, PrivateDnsEnabled: isPrivate } of endpoints) {
      expect(type === 'Gateway' || isPrivate === true).toBe(true);
      expect((subnets as string[] | undefined)?.length ?? 2).toBe(2);
    }
  });

  test('leaves a network alone that has them', () => {
    expect(resourcesOf(templates, 'AWS::EC2::VPCEndpoint')).toEqual([]);
  });
});

test('a key of the user encrypts everything, and no other is made', () => {
  const keyArn = 'arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef';
  const made = templatesOf(exampleApp({ keyArn }));
  expect(resourcesOf(made, 'AWS::KMS::Key')).toEqual([]);
  const [[, table] = []] = resourcesOf(made, 'AWS::DynamoDB::Table');
  expect(table?.Properties['SSESpecification']).toMatchObject({ KMSMasterKeyId: keyArn });
  const buckets = resourcesOf(made, 'AWS::S3::Bucket').filter(([path]) => !path.includes('AccessLogs'));
  for (const [, { Properties }] of [...buckets, ...resourcesOf(made, 'AWS::SNS::Topic')]) {
    expect(JSON.stringify(Properties)).toContain(keyArn);
  }
});
