import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Permission } from '../../core/permissions/permission';
import { networkInterfaces } from '../../lib/constructs/lambda.permissions';
import { projectRoot } from '../../lib/constructs/bundling';
import { exampleApp, resourcesOf, templatesOf } from './support/example-app';

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const templates = templatesOf(exampleApp());
const policies = resourcesOf(templates, 'AWS::IAM::Policy');
const statements = policies.flatMap(([path, { Properties }]) => {
  const document = Properties['PolicyDocument'] as { readonly Statement: readonly Statement[] };
  return document.Statement.map((statement, index) => [`${path}[${index}] ${statement.Sid ?? ''}`, statement] as const);
});

function list<T>(value: T | readonly T[]): readonly T[] {
  return (Array.isArray(value) ? value : [value]) as readonly T[];
}

/** Every exported list beside an adapter, with those that a function makes. */
const permissions: (readonly [string, Permission])[] = readdirSync(join(projectRoot, 'adapters', 'aws'))
  .filter((file) => file.endsWith('.permissions.ts'))
  .flatMap((file) => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- every file there is, without a list of them
    const exported = require(join(projectRoot, 'adapters', 'aws', file)) as Record<string, unknown>;
    return Object.entries(exported).flatMap(([name, value]) => {
      const made: unknown = typeof value === 'function' ? (value as (workflow: string) => unknown)('example') : value;
      return Array.isArray(made)
        ? (made as Permission[]).map((permission) => [`${file} ${name} ${permission.sid}`, permission] as const)
        : [];
    });
  });
const reasons = new Map(
  [...permissions.map(([, permission]) => permission), ...networkInterfaces].map(({ sid, wildcardReason }) => [
    sid,
    wildcardReason,
  ]),
);

test('there is something to look at', () => {
  expect(statements.length).toBeGreaterThan(20);
  expect(permissions.length).toBeGreaterThan(20);
});

test.each(permissions)('%s names each action', (_name, { sid, actions }) => {
  expect(sid).toMatch(/^[A-Za-z0-9]+$/);
  expect(actions.length).toBeGreaterThan(0);
  for (const action of actions) {
    expect(action).toMatch(/^[a-z0-9-]+:[A-Z][A-Za-z]+$/);
  }
});

test.each(statements)('%s has no wildcard in an action', (_name, statement) => {
  for (const action of list(statement.Action)) {
    expect(action).not.toContain('*');
  }
});

/** What Step Functions itself needs, which knows no resources (`LogDelivery`, X-Ray). */
const ofMachines = /^(logs|xray):/;

const withWildcard = statements.filter(
  ([, { Effect, Resource, Action }]) =>
    Effect === 'Allow' && list(Resource).includes('*') && !list(Action).every((action) => ofMachines.test(action)),
);

test.each(withWildcard)('%s says why it names no resource', (_name, { Sid }) => {
  expect(reasons.get(Sid ?? '')).toMatch(/\w+ \w+/);
});

const changing = statements.filter(([, { Action }]) =>
  list(Action).some((action) => /^(ec2:(Stop|Terminate|ModifyInstance)|rds:(Stop|Modify|Reboot|Delete))/.test(action)),
);

test.each(changing)('%s touches tagged machines only', (_name, { Resource, Condition }) => {
  const groupsOnly = JSON.stringify(Resource).includes('security-group/');
  expect(groupsOnly || JSON.stringify(Condition).includes('aws:ResourceTag/rejoin:cluster')).toBe(true);
});

test('each function has a role of its own', () => {
  const roles = resourcesOf(templates, 'AWS::Lambda::Function').map(([path, { Properties }]) =>
    JSON.stringify([path.split('/')[0], Properties['Role']]),
  );
  expect(new Set(roles).size).toBe(roles.length);
});
