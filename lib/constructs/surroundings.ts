import type { IEventBus } from 'aws-cdk-lib/aws-events';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { RemovalPolicy } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import type { ResourceNames } from '../../core/permissions/permission';

/** What the steps, machines and triggers of a stack stand on. */
export interface Surroundings {
  readonly names: ResourceNames;
  /** The environment that every step gets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Encrypts logs and executions. */
  readonly key: IKey;
  /** Where alarms go. */
  readonly topic: ITopic;
  /** Where agents and workflows announce what happened. */
  readonly bus: IEventBus;
  /** One subnet a site: where steps that speak to databases run. */
  readonly subnetIds: readonly string[];
  /** The security group that the databases' own groups let in. */
  readonly stepsGroupId: string;
  /** What becomes of logs when the stack is removed. */
  readonly removal: RemovalPolicy;
}

const place = Symbol.for('rejoin.surroundings');

/** Everything below `scope` finds these by `surroundingsOf`: a step needs no thread through every constructor. */
export function provideSurroundings(scope: IConstruct, surroundings: Surroundings): void {
  Object.defineProperty(scope, place, { value: surroundings });
}

/** The foundation as seen from inside another stack. @throws Error when nothing above `construct` provides it */
export function surroundingsOf(construct: IConstruct): Surroundings {
  for (const scope of [...construct.node.scopes].reverse()) {
    const found = (scope as { readonly [place]?: Surroundings })[place];
    if (found !== undefined) {
      return found;
    }
  }
  throw new Error(
    `nothing above '${construct.node.path}' provides surroundings; call provideSurroundings(stack, …) in its stack first`,
  );
}
