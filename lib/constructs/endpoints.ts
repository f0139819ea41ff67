import { Stack } from 'aws-cdk-lib';
import { CfnVPCEndpoint, type IVpc, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';

/** What steps beside the databases, and agents, call. */
const interfaceServices = [
  'secretsmanager',
  'ssm',
  'states',
  'monitoring',
  'sns',
  'events',
  'ec2',
  'rds',
  'lambda',
] as const;
/** These cost nothing and have no address of their own: routes lead to them. */
const gatewayServices = ['s3', 'dynamodb'] as const;

export interface EndpointsProps {
  readonly vpc: IVpc;
  /** The network's own addresses. Names of AWS lead to the endpoints for everybody in it, and so everybody is let in. */
  readonly cidr: string;
  /** One a site. */
  readonly subnetIds: readonly string[];
  readonly routeTableIds: readonly string[];
}

/** Ways from the network to the APIs of AWS, where it has no NAT. */
export class Endpoints extends Construct {
  constructor(scope: Construct, id: string, { vpc, cidr, subnetIds, routeTableIds }: EndpointsProps) {
    super(scope, id);
    const { region } = Stack.of(this);
    const group = new SecurityGroup(this, 'Group', {
      vpc,
      description: 'Endpoints of AWS APIs; lets the network in by TLS',
      allowAllOutbound: false,
    });
    group.addIngressRule(Peer.ipv4(cidr), Port.tcp(443), 'steps, agents and other users of the network');
    for (const service of interfaceServices) {
      new CfnVPCEndpoint(this, service, {
        vpcId: vpc.vpcId,
        vpcEndpointType: 'Interface',
        serviceName: serviceName(region, service),
        subnetIds: [...subnetIds],
        securityGroupIds: [group.securityGroupId],
        privateDnsEnabled: true,
      });
    }
    for (const service of gatewayServices) {
      new CfnVPCEndpoint(this, service, {
        vpcId: vpc.vpcId,
        vpcEndpointType: 'Gateway',
        serviceName: serviceName(region, service),
        routeTableIds: [...routeTableIds],
      });
    }
  }
}

function serviceName(region: string, service: string): string {
  return `com.amazonaws.${region}.${service}`;
}
