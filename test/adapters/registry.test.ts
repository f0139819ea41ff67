import {
  DynamoDBClient,
  GetItemCommand,
  ProvisionedThroughputExceededException,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { DynamoRegistry } from '../../adapters/aws/registry';
import type { Change } from '../../core/ports/registry';
import { expectError } from '../contract/expect-error';

const dynamo = mockClient(DynamoDBClient);
const registry = new DynamoRegistry(new DynamoDBClient({ region: 'eu-central-1' }), 'registry');

const put = (sk: string, changes: Partial<Change & { kind: 'put' }> = {}): Change => ({
  kind: 'put',
  key: { pk: 'CLUSTER#orders', sk },
  value: { epoch: 1 },
  when: 'absent',
  ...changes,
});

function cancelled(...codes: (string | undefined)[]): TransactionCanceledException {
  return new TransactionCanceledException({
    message: 'Transaction cancelled',
    $metadata: { httpStatusCode: 400 },
    CancellationReasons: codes.map((Code) => (Code === undefined ? {} : { Code, Message: `said ${Code}` })),
  });
}

beforeEach(() => {
  dynamo.reset();
});

test.each([
  [['None', 'ConditionalCheckFailed'], 'ConditionFailed', 'SHARD#2'],
  // A condition that failed is an answer, whatever else happened.
  [['TransactionConflict', 'ConditionalCheckFailed'], 'ConditionFailed', 'SHARD#2'],
  [['TransactionConflict', 'None'], 'RegistryThrottled', 'SHARD#1'],
  [['None', 'ThrottlingError'], 'RegistryThrottled', 'SHARD#2'],
  [['ProvisionedThroughputExceeded', 'TransactionConflict'], 'RegistryThrottled', 'SHARD#1'],
  [['ValidationError', 'TransactionConflict'], 'ApiRefused', 'said ValidationError'],
] as const)('a transaction cancelled for %j is %s', async (codes, name, words) => {
  dynamo.on(TransactWriteItemsCommand).rejects(cancelled(...codes));
  const message = await expectError(registry.write([put('SHARD#1'), put('SHARD#2')]), name, words);
  expect(message.includes('SHARD#1 is not as expected')).toBe(false);
});

test('a throttled read may be tried again', async () => {
  const throttle = new ProvisionedThroughputExceededException({ message: 'slow', $metadata: { httpStatusCode: 400 } });
  dynamo.on(GetItemCommand).rejects(throttle);
  await expectError(registry.read({ pk: 'CLUSTER#orders', sk: 'META' }), 'RegistryThrottled', 'CLUSTER#orders / META');
});

test('each write has a token of its own, so that a second try of it is recognized', async () => {
  dynamo.on(TransactWriteItemsCommand).resolves({});
  await registry.write([put('A')]);
  await registry.write([put('A')]);
  const tokens = dynamo.commandCalls(TransactWriteItemsCommand).map(({ args }) => args[0].input.ClientRequestToken);
  expect(new Set(tokens).size).toBe(2);
  expect(tokens.every((token) => typeof token === 'string' && token.length >= 32)).toBe(true);
});

test('an item never expires before its time', async () => {
  dynamo.on(TransactWriteItemsCommand).resolves({});
  await registry.write([put('A', { expiresAtMs: 1_790_000_000_001 })]);
  const item = dynamo.commandCalls(TransactWriteItemsCommand)[0]?.args[0].input.TransactItems?.[0]?.Put?.Item;
  expect(item?.['expiresAtSeconds']).toEqual({ N: '1790000001' });
});
