import { Duration } from 'aws-cdk-lib';
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { CodeFunction } from './code-function';

export interface ProberProps {
  readonly site: string;
  readonly subnetId: string;
  readonly groupId: string;
}

/** The name of a site's prober. Known before it is deployed, so that no stack has to ask another for it. */
export function proberName(site: string): string {
  return `rejoin-prober-${site}`;
}

/** Asks from one site's subnet whether a port answers: an independent witness for a fence. It may do nothing else. */
export class Prober extends Construct {
  constructor(scope: Construct, id: string, props: ProberProps) {
    super(scope, id);
    const { function: prober } = new CodeFunction(this, 'Code', {
      entry: 'prober/probe-port',
      description: `Probes ports from site ${props.site}`,
      timeout: Duration.seconds(15),
      memoryMiB: 128,
      codec: false,
      environment: {},
      permissions: [],
      place: { subnetIds: [props.subnetId], groupId: props.groupId },
    });
    (prober.node.defaultChild as CfnFunction).functionName = proberName(props.site);
  }
}
