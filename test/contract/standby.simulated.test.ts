import type { DatabaseAddress } from '../../core/ports/database-engine';
import { SimulatedDatabases } from '../support/simulated-databases';
import { SimulatedServers } from '../support/simulated-server';
import { describeStandbyContract } from './standby';

const shard = 'shard_0000';

describeStandbyContract('simulated', async () => {
  const servers = new SimulatedServers();
  const databases = new SimulatedDatabases(servers, (host) => host);
  const address = (nodeId: string): DatabaseAddress => ({
    cluster: 'orders',
    nodeId,
    host: nodeId,
    port: 5432,
    database: 'orders',
  });
  const [primary, ...standbys] = [address('node-1'), address('node-2'), address('node-3')] as const;
  servers.start(primary.host);
  await databases.installShard(primary, { shard, schemas: ['public'], epoch: 3, writable: true });
  for (const { host } of standbys) {
    servers.restoreStandby(host, servers.copy(primary.host));
  }
  return {
    databases,
    primary,
    standbys,
    write: async ({ host }, key) => {
      const answer = servers.write(host, shard, key, 'value');
      if (answer !== 'acknowledged') {
        throw new Error(answer);
      }
    },
    keys: async ({ host }) => [...(servers.at(host)?.shards.get(shard)?.rows.keys() ?? [])],
    kill: async ({ host }) => {
      servers.kill(host);
    },
    close: async () => undefined,
  };
});
