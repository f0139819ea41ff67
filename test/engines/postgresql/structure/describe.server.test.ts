import type { Client } from 'pg';
import type { SchemaDescription } from '../../../../core/cluster/manifest';
import type { DatabaseAddress } from '../../../../core/ports/database-engine';
import { waitUntil } from '../../../../engines/postgresql/condition';
import { postgresStructure } from '../../../../engines/postgresql/structure/structure';
import { freshDatabase, startTestServer, testClient, type TestServer } from '../../../support/postgres';
import { longName, richSchema, schemas } from './rich-schema';

let server: TestServer;
let structure: ReturnType<typeof postgresStructure>;

beforeAll(async () => {
  server = await startTestServer();
  structure = postgresStructure(server.source);
  await onServer(server.address, async (client) => {
    await client.query('CREATE ROLE app; CREATE ROLE "read er"; CREATE ROLE leaver');
  });
});

afterAll(() => server.stop());

async function onServer<T>(address: DatabaseAddress, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await testClient(server, address);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function richDatabase(): Promise<DatabaseAddress> {
  const address = await freshDatabase(server);
  await onServer(address, (client) => client.query(richSchema));
  return address;
}

/** All that a restore does to a structure, without rows. */
async function restore(address: DatabaseAddress, shard: string, schema: SchemaDescription): Promise<void> {
  await structure.createTables(address, { shard, epoch: 1, schema });
  for (const part of ['keys', 'indexes'] as const) {
    await structure.startIndexes(address, { shard, schema, part });
    await waitUntil(
      async () => {
        const { built, total, failed } = await structure.indexProgress(address, { shard, schema, part });
        expect(failed).toEqual([]);
        return built === total;
      },
      { timeoutMs: 30_000, late: () => new Error(`${part} not built in 30 s`), pollMs: 50 },
    );
  }
  await structure.finishTables(address, { shard, schema });
}

test('describing what a description made gives the same description, on a rich schema with odd names', async () => {
  const [source, target] = [await richDatabase(), await freshDatabase(server)];
  const described = await structure.describe(source, schemas);
  await restore(target, 'shard_0003', described);
  const again = await structure.describe(target, schemas);
  expect(again).toEqual(described);
  expect(described.tables.map(({ table }) => table)).toContain(longName);
});

test('every step can be repeated without change', async () => {
  const target = await freshDatabase(server);
  const described = await structure.describe(await richDatabase(), schemas);
  await restore(target, 'shard_0003', described);
  await restore(target, 'shard_0003', described);
  expect(await structure.describe(target, schemas)).toEqual(described);
});
