import { CreateTableCommand, DeleteTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoRegistry } from '../../adapters/aws/registry';
import { registryTable } from '../../adapters/aws/registry.permissions';
import { startMoto, type Moto } from '../support/moto';
import { describeRegistryContract } from './registry';

let moto: Moto;
let client: DynamoDBClient;
let tables = 0;

beforeAll(async () => {
  moto = await startMoto();
  // moto looks at a condition and writes in two moments of its own: on one connection no other request comes in between.
  client = new DynamoDBClient({ ...moto.client, requestHandler: { httpAgent: { keepAlive: true, maxSockets: 1 } } });
});
afterAll(async () => {
  client.destroy();
  await moto.close();
});

describeRegistryContract(
  'DynamoDB',
  async () => {
    tables += 1;
    const TableName = `registry-${tables}`;
    await client.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: registryTable.partitionKey, AttributeType: 'S' },
          { AttributeName: registryTable.sortKey, AttributeType: 'S' },
        ],
        KeySchema: [
          { AttributeName: registryTable.partitionKey, KeyType: 'HASH' },
          { AttributeName: registryTable.sortKey, KeyType: 'RANGE' },
        ],
      }),
    );
    return {
      registry: new DynamoRegistry(client, TableName),
      close: async () => {
        await client.send(new DeleteTableCommand({ TableName }));
      },
    };
  },
  ['missing is not null', 'item of almost 400 KB'],
);
