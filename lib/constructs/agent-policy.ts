import { ManagedPolicy, Role } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { eventsPublish } from '../../adapters/aws/events.permissions';
import { metricsPublish } from '../../adapters/aws/metrics.permissions';
import { registryUse } from '../../adapters/aws/registry.permissions';
import { secretsRead } from '../../adapters/aws/secrets.permissions';
import { settingsRead } from '../../adapters/aws/settings.permissions';
import type { Wildcard } from './allowed';
import { allowed } from './allowed';
import { surroundingsOf } from './surroundings';

export interface AgentPolicyProps {
  /** The role of the nodes' machines; null: whoever runs agents attaches the policy. */
  readonly nodeRole: string | null;
}

/** What an agent beside a database may do: read its settings and secret, use the registry, beat, announce. */
export class AgentPolicy extends Construct {
  readonly wildcards: readonly Wildcard[];

  constructor(scope: Construct, id: string, { nodeRole }: AgentPolicyProps) {
    super(scope, id);
    const lists = [registryUse, settingsRead, secretsRead, eventsPublish, metricsPublish];
    const { statements, wildcards } = allowed(lists, surroundingsOf(this).names);
    this.wildcards = wildcards;
    new ManagedPolicy(this, 'Policy', {
      managedPolicyName: 'rejoin-agent',
      description: 'Agents of Rejoin beside the databases',
      statements: [...statements],
      roles: nodeRole === null ? [] : [Role.fromRoleName(this, 'NodeRole', nodeRole)],
    });
  }
}
