import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { RegisterCluster } from '../workflows/register-cluster';
import type { WorkflowStackProps } from './node-recovery-stack';

/** Makes clusters known. A person starts it, once a cluster; every other workflow needs what it has written. */
export class RegistrationStack extends Stack {
  constructor(scope: Construct, id: string, { foundation, ...props }: Omit<WorkflowStackProps, 'settings'>) {
    super(scope, id, { description: 'Rejoin: enters clusters in the registry', ...props });
    foundation.provideTo(this);
    new RegisterCluster(this, 'RegisterCluster');
  }
}
