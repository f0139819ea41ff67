import type { DatabaseAddress } from '../../core/ports/database-engine';
import { postgresEngine } from '../../engines/postgresql/engine';
import { startTestServer, testClient, type TestServer } from '../support/postgres';
import { describeStandbyContract } from './standby';

const settings = { wal_retrieve_retry_interval: '200ms' };

describeStandbyContract('PostgreSQL', async () => {
  const first = await startTestServer({ nodeId: 'node-1', durable: true, settings });
  const databases = postgresEngine(first.source);
  const sql = async (server: TestServer, text: string, values: readonly string[] = []): Promise<unknown[][]> => {
    const client = await testClient(server, server.address);
    try {
      return (await client.query<unknown[]>({ text, values: [...values], rowMode: 'array' })).rows;
    } finally {
      await client.end();
    }
  };
  await sql(first, 'CREATE TABLE item (key text PRIMARY KEY)');
  await databases.installShard(first.address, { shard: 'shard_0000', schemas: ['public'], epoch: 3, writable: true });
  const standby = (nodeId: string): Promise<TestServer> =>
    startTestServer({ nodeId, durable: true, settings, standbyOf: first });
  const [second, third] = [await standby('node-2'), await standby('node-3')];
  const servers = [first, second, third];
  const at = (address: DatabaseAddress): TestServer => {
    const found = servers.find((server) => server.address.nodeId === address.nodeId);
    if (found === undefined) {
      throw new Error(`there is no server of ${address.nodeId}`);
    }
    return found;
  };
  return {
    databases,
    primary: first.address,
    standbys: [second.address, third.address],
    write: async (address, key) => {
      await sql(at(address), 'INSERT INTO item VALUES ($1)', [key]);
    },
    keys: async (address) => (await sql(at(address), 'SELECT key FROM item')).map(([key]) => String(key)),
    kill: (address) => at(address).kill(),
    close: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
});
