import { type App, Stack, Validations } from 'aws-cdk-lib';
import { CfnPolicy } from 'aws-cdk-lib/aws-iam';
import { AwsSolutionsChecks } from 'cdk-nag';
import { flattenCfnReference } from 'cdk-nag/lib/utils/flatten-cfn-reference';
import type { IConstruct } from 'constructs';
import { AgentPolicy } from '../constructs/agent-policy';
import { CodeFunction } from '../constructs/code-function';
import { Workflow } from '../constructs/workflow';

/** Why a state machine's own role names some resources with a `*`. */
const reasonsOfMachines: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^\*$/, 'log delivery and X-Ray know no resource that could be named'],
  [/:execution:/, 'the executions of a map, and of another workflow, are named when they start'],
  [/:states:/, 'the children of a map are named when they start'],
  [/:s3:::|BackupsBucket|backups-bucket/, 'the items of a map are read from an object that the run has written'],
];

/** Lets synthesis fail on every finding of cdk-nag that has no reason, here or beside a permission. */
export function checkApp(app: App): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  Validations.of(app).acknowledge({
    id: 'AwsSolutions::AwsSolutions-L1',
    reason: 'nodejs22.x is what the tests and the binary of the codec are checked with',
  });
  for (const construct of app.node.findAll()) {
    if (construct instanceof CodeFunction || construct instanceof AgentPolicy) {
      for (const { resource, reason } of construct.wildcards) {
        acknowledgeWildcard(construct, asInTemplate(construct, resource), reason);
      }
    }
    if (construct instanceof Workflow) {
      acknowledgeMachine(construct);
    }
  }
}

function acknowledgeMachine(workflow: Workflow): void {
  const policies = workflow.machine.node.findAll().filter((child) => child instanceof CfnPolicy);
  for (const policy of policies) {
    const document = Stack.of(policy).resolve(policy.policyDocument) as {
      readonly Statement: readonly { readonly Resource: unknown }[];
    };
    for (const resource of document.Statement.flatMap(({ Resource: resources }) => resources)) {
      const flat = asInTemplate(policy, resource);
      const reason = reasonsOfMachines.find(([pattern]) => flat.includes('*') && pattern.test(flat))?.[1];
      if (reason !== undefined) {
        acknowledgeWildcard(policy, flat, reason);
      }
    }
  }
}

/** A finding is named by the resource as the template writes it, references in angle brackets. */
function asInTemplate(scope: IConstruct, resource: unknown): string {
  return flattenCfnReference(Stack.of(scope).resolve(resource));
}

function acknowledgeWildcard(scope: IConstruct, resource: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions::AwsSolutions-IAM5[Resource::${resource}]`, reason });
}
