import { Duration } from 'aws-cdk-lib';
import type { DistributedMap, State } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { backupsRead } from '../../adapters/aws/objects.permissions';
import { Step } from '../constructs/step';

/** The step that says why a distributed map failed. */
export function explainFailure(scope: Construct): Step {
  return new Step(scope, 'ExplainFailure', {
    entry: 'machines/explain-failure',
    timeout: Duration.seconds(30),
    uses: [backupsRead],
  });
}

/**
 * Lets a map's failure lead to `otherwise` with the error of an item in `$failure`: the map's own only says that too many
 * items failed.
 *
 * @param folder an expression for where the items leave their notes
 */
export function explained(
  map: DistributedMap,
  step: Step,
  props: { readonly name: string; readonly folder: string; readonly otherwise: State },
): void {
  const ask = step.state(props.name, {
    input: { folder: props.folder, failure: '{% $failure %}' },
    assign: { failure: '{% $states.result.Payload %}' },
    otherwise: props.otherwise,
    // What the map said is reason enough when it can't be explained.
    failureVariable: 'explanationFailure',
  });
  ask.next(props.otherwise);
  map.addCatch(ask, { errors: ['States.ALL'], assign: { failure: '{% $states.errorOutput %}' } });
}
