import { type App, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { flattenCfnReference } from 'cdk-nag/lib/utils/flatten-cfn-reference';
import { CodeFunction } from '../constructs/code-function';
import { Workflow } from '../constructs/workflow';

/** Lets synthesis fail on every finding of cdk-nag that has no reason, here or beside a permission. */
export function checkApp(app: App): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  Validations.of(app).acknowledge({
    id: 'AwsSolutions::AwsSolutions-L1',
    reason: 'nodejs22.x is what the tests and the binary of the codec are checked with',
  });
  for (const construct of app.node.findAll()) {
    if (construct instanceof CodeFunction) {
      for (const { resource, reason } of construct.wildcards) {
        acknowledgeWildcard(construct, resource, reason);
      }
    }
    if (construct instanceof Workflow) {
      acknowledgeWildcard(construct, '*', 'log delivery and X-Ray know no resource that could be named');
    }
  }
}

/** A finding is named by the resource as the template writes it, references in angle brackets. */
function acknowledgeWildcard(scope: CodeFunction | Workflow, resource: string, reason: string): void {
  const inTemplate = flattenCfnReference(Stack.of(scope).resolve(resource));
  Validations.of(scope).acknowledge({ id: `AwsSolutions::AwsSolutions-IAM5[Resource::${inTemplate}]`, reason });
}
