import { createHash } from 'node:crypto';

/** The account and region that a local cloud stands for. */
export const localAccount = '123456789012';
export const localRegion = 'eu-central-1';

/** What a reference to a resource gives. */
export interface PhysicalResource {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

interface ResourceNaming {
  /** The property that names it; null: it is never named by its owner. */
  readonly property: string | null;
  /** Longest generated name. */
  readonly maxLength: number;
  readonly lowerCase?: boolean;
  readonly describe: (name: string) => PhysicalResource;
}

const arn = (service: string, resource: string): string =>
  `arn:aws:${service}:${localRegion}:${localAccount}:${resource}`;

/** By its name, with an ARN as attribute. */
const named =
  (service: string, prefix: string) =>
  (name: string): PhysicalResource => ({
    ref: name,
    attributes: { Arn: arn(service, `${prefix}${name}`) },
  });

const identified =
  (prefix: string, attribute: string) =>
  (name: string): PhysicalResource => {
    const id = `${prefix}${digest(name).slice(0, 17)}`;
    return { ref: id, attributes: { [attribute]: id } };
  };

/** Every type of resource that something in our templates refers to. */
const namings: Readonly<Record<string, ResourceNaming>> = {
  'AWS::Lambda::Function': { property: 'FunctionName', maxLength: 64, describe: named('lambda', 'function:') },
  'AWS::StepFunctions::StateMachine': {
    property: 'StateMachineName',
    maxLength: 80,
    describe: (name) => {
      const machineArn = arn('states', `stateMachine:${name}`);
      return { ref: machineArn, attributes: { Arn: machineArn, Name: name } };
    },
  },
  'AWS::DynamoDB::Table': { property: 'TableName', maxLength: 255, describe: named('dynamodb', 'table/') },
  'AWS::DynamoDB::GlobalTable': { property: 'TableName', maxLength: 255, describe: named('dynamodb', 'table/') },
  'AWS::S3::Bucket': {
    property: 'BucketName',
    maxLength: 63,
    lowerCase: true,
    describe: (name) => ({ ref: name, attributes: { Arn: `arn:aws:s3:::${name}` } }),
  },
  'AWS::SNS::Topic': {
    property: 'TopicName',
    maxLength: 256,
    describe: (name) => ({ ref: arn('sns', name), attributes: { TopicArn: arn('sns', name), TopicName: name } }),
  },
  'AWS::Events::EventBus': {
    property: 'Name',
    maxLength: 256,
    describe: (name) => ({ ref: name, attributes: { Arn: arn('events', `event-bus/${name}`), Name: name } }),
  },
  'AWS::Events::Rule': { property: 'Name', maxLength: 64, describe: named('events', 'rule/') },
  'AWS::CloudWatch::Alarm': { property: 'AlarmName', maxLength: 255, describe: named('cloudwatch', 'alarm:') },
  'AWS::KMS::Key': {
    property: null,
    maxLength: 64,
    describe: (name) => {
      const hex = digest(name);
      const id = [0, 8, 12, 16, 20].map((at, part) => hex.slice(at, [8, 12, 16, 20, 32][part])).join('-');
      return { ref: id, attributes: { Arn: arn('kms', `key/${id}`), KeyId: id } };
    },
  },
  'AWS::IAM::Role': {
    property: 'RoleName',
    maxLength: 64,
    describe: (name) => ({ ref: name, attributes: { Arn: `arn:aws:iam::${localAccount}:role/${name}` } }),
  },
  'AWS::Logs::LogGroup': { property: 'LogGroupName', maxLength: 512, describe: named('logs', 'log-group:') },
  'AWS::SSM::Parameter': { property: 'Name', maxLength: 1011, describe: (name) => ({ ref: name, attributes: {} }) },
  'AWS::SecretsManager::Secret': {
    property: 'Name',
    maxLength: 512,
    describe: (name) => {
      const secretArn = arn('secretsmanager', `secret:${name}-${digest(name).slice(0, 6)}`);
      return { ref: secretArn, attributes: { Id: secretArn } };
    },
  },
  'AWS::SQS::Queue': {
    property: 'QueueName',
    maxLength: 80,
    describe: (name) => ({
      ref: `https://sqs.${localRegion}.amazonaws.com/${localAccount}/${name}`,
      attributes: { Arn: arn('sqs', name), QueueName: name },
    }),
  },
  'AWS::EC2::SecurityGroup': { property: null, maxLength: 255, describe: identified('sg-0', 'GroupId') },
  'AWS::EC2::LaunchTemplate': { property: null, maxLength: 255, describe: identified('lt-0', 'LaunchTemplateId') },
  'AWS::Route53::HostedZone': { property: null, maxLength: 255, describe: identified('Z', 'Id') },
};

/** What a reference to a resource gives; null: nothing is known of its type. */
export function physicalResource(
  type: string,
  place: { readonly stack: string; readonly logicalId: string },
  givenName: (property: string) => string | null,
): (PhysicalResource & { readonly name: string }) | null {
  const naming = namings[type];
  if (naming === undefined) {
    return null;
  }
  const given = naming.property === null ? null : givenName(naming.property);
  const name = given ?? generatedName(`${place.stack}-${place.logicalId}`, naming);
  return { name, ...naming.describe(name) };
}

/** Like CloudFormation's, but the same each time. */
function generatedName(whole: string, { maxLength, lowerCase }: ResourceNaming): string {
  const name = lowerCase === true ? whole.toLowerCase() : whole;
  const tail = `-${digest(whole).slice(0, 8)}`;
  return name.length <= maxLength ? name : `${name.slice(0, maxLength - tail.length)}${tail}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
