import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../lib/constructs/bundling';
import { exampleApp, type Resource, resourcesOf, templatesOf } from './support/example-app';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

const templates = templatesOf(exampleApp());
const policies = resourcesOf(templates, 'AWS::IAM::Policy');

/** Port of `adapters/ports.ts` → what at least one of its step's permissions looks like: `<action> <resource>`. */
const permissionOfPort: Readonly<Record<string, RegExp>> = {
  stepPorts: /^dynamodb:PutItem /,
  registry: /^dynamodb:GetItem /,
  backups: /^s3:\w+Object .*backups-bucket/,
  evidence: /^s3:\w+Object .*evidence-bucket/,
  machines: /^ec2:\w+Instances? /,
  managedDatabases: /^rds:/,
  prober: /^lambda:InvokeFunction /,
  dns: /^route53:/,
  settings: /^ssm:GetParameter /,
  secrets: /^secretsmanager:GetSecretValue /,
  databases: /^secretsmanager:GetSecretValue /,
  events: /^events:PutEvents /,
  notifications: /^sns:Publish /,
  metrics: /^cloudwatch:\w+MetricData /,
  statusAlarms: /^cloudwatch:\w+Alarms? .*rejoin\/status\//,
  executions: /^states:/,
  hostCommands: /^ssm:SendCommand /,
};
/** Ports that need no permission. */
const free = ['clock', 'random'];
/** What a step gets without its own doing: for its place, or because its other ports read settings and secrets. */
const implied = ['stepPorts', 'registry', 'settings', 'secrets', 'databases'];

function portsOf(entry: string): readonly string[] {
  const text = readFileSync(join(projectRoot, entry), 'utf8');
  const imported = /import \{([^}]*)\} from '(?:\.\.\/)+adapters\/ports'/.exec(text)?.[1] ?? '';
  return imported.split(',').flatMap((name) => name.trim() || []);
}

/** `<action> <resource>` of everything that a function's role allows. */
function allowedTo(path: string, { Properties }: Resource): readonly string[] {
  const stack = path.split('/')[0] ?? '';
  const role = (Properties['Role'] as { readonly 'Fn::GetAtt': readonly [string, string] })['Fn::GetAtt'][0];
  return policies
    .filter(
      ([policy, { Properties: of }]) =>
        policy.startsWith(`${stack}/`) && JSON.stringify(of['Roles']).includes(`"${role}"`),
    )
    .flatMap(
      ([, { Properties: of }]) => (of['PolicyDocument'] as { readonly Statement: readonly Statement[] }).Statement,
    )
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap(({ Action, Resource }) => [Action].flat().map((action) => `${action} ${JSON.stringify(Resource)}`));
}

const steps = resourcesOf(templates, 'AWS::Lambda::Function').map(([path, resource]) => {
  const entry = String(resource.Metadata?.['rejoin:entry']);
  return [`${path} (${entry})`, { ports: portsOf(entry), allowed: allowedTo(path, resource), resource }] as const;
});

test('the ports of steps are found', () => {
  expect(steps.filter(([, { ports }]) => ports.length > 0).length).toBeGreaterThan(30);
});

test.each(steps)('%s may do what its ports need', (_name, { ports, allowed }) => {
  const missing = ports.filter((port) => {
    const needed = permissionOfPort[port];
    return !free.includes(port) && (needed === undefined || !allowed.some((permission) => needed.test(permission)));
  });
  expect(missing).toEqual([]);
});

test.each(steps)('%s may do nothing that its ports do not need', (_name, { ports, allowed }) => {
  const needless = Object.entries(permissionOfPort)
    .filter(([port]) => !ports.includes(port) && !implied.includes(port))
    // A starter that can't start tells people by itself: Lambda does it, without the port.
    .filter(([port]) => !(port === 'notifications' && ports.includes('executions') && !ports.includes('stepPorts')))
    .filter(([, pattern]) => allowed.some((permission) => pattern.test(permission)))
    .map(([port]) => port);
  expect(needless).toEqual([]);
});

test.each(steps)('%s is in the VPC exactly when it reaches databases', (_name, { ports, resource }) => {
  const isProber = String(resource.Metadata?.['rejoin:entry']).includes('/probe-port');
  expect(resource.Properties['VpcConfig'] !== undefined).toBe(ports.includes('databases') || isProber);
});
