import { randomUUID } from 'node:crypto';
import {
  type AttributeValue,
  type CancellationReason,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import { RejoinError } from '../../core/errors';
import type { JsonObject } from '../../core/json';
import type { Change, Condition, ItemKey, Registry, RegistryItem } from '../../core/ports/registry';
import { describe } from '../../core/registry/condition-text';
import { checkKey, checkLimits, nameOf } from '../../core/registry/limits';
import { apiError } from './api-error';
import { fromAttributes, toAttribute, toAttributes } from './attribute-value';
import { registryTable } from './registry.permissions';

/** The attribute that holds an item's value: inside it, no name can meet a key's. */
const valueAttribute = 'value';

/** Codes of a cancelled transaction that say 'again': another one was at the same item, or too many were. */
const passingReasons = new Set(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']);

/**
 * The registry in one DynamoDB table. Every write is a transaction with a token, a single change too: when an answer is
 * lost, the SDK's second try is then recognized, where a repeated conditional put would find its own item and fail.
 */
export class DynamoRegistry implements Registry {
  constructor(
    private readonly client: DynamoDBClient,
    private readonly table: string,
  ) {}

  async read(key: ItemKey): Promise<JsonObject | null> {
    checkKey(key);
    const { Item } = await registryCall(
      `read ${nameOf(key)}`,
      this.client.send(new GetItemCommand({ TableName: this.table, Key: keyOf(key), ConsistentRead: true })),
    );
    return Item === undefined ? null : valueOf(Item);
  }

  async list(pk: string, skPrefix: string): Promise<readonly RegistryItem[]> {
    const found: RegistryItem[] = [];
    let from: Record<string, AttributeValue> | undefined;
    do {
      const page = await registryCall(
        `list ${pk} / ${skPrefix}*`,
        this.client.send(
          new QueryCommand({
            TableName: this.table,
            ConsistentRead: true,
            KeyConditionExpression: skPrefix === '' ? '#pk = :pk' : '#pk = :pk AND begins_with(#sk, :sk)',
            ExpressionAttributeNames: {
              '#pk': registryTable.partitionKey,
              ...(skPrefix === '' ? {} : { '#sk': registryTable.sortKey }),
            },
            ExpressionAttributeValues: {
              ':pk': { S: pk },
              ...(skPrefix === '' ? {} : { ':sk': { S: skPrefix } }),
            },
            ...(from === undefined ? {} : { ExclusiveStartKey: from }),
          }),
        ),
      );
      found.push(...(page.Items ?? []).map(itemOf));
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
    return found;
  }

  async write(changes: readonly Change[]): Promise<void> {
    checkLimits(changes);
    const order = new TransactWriteItemsCommand({
      ClientRequestToken: randomUUID(),
      TransactItems: changes.map((change) => this.transactItem(change)),
    });
    try {
      await this.client.send(order);
    } catch (thrown) {
      const asked = `write ${changes.map(({ key }) => nameOf(key)).join(', ')}`;
      throw thrown instanceof TransactionCanceledException
        ? cancelled(thrown, asked, changes)
        : registryError(asked, thrown);
    }
  }

  private transactItem(change: Change): TransactWriteItem {
    const table = { TableName: this.table, ...expressionOf(change.when) };
    switch (change.kind) {
      case 'put':
        return { Put: { ...table, Item: storedItem(change) } };
      case 'remove':
        return { Delete: { ...table, Key: keyOf(change.key) } };
      case 'check':
        // DynamoDB takes no check without a condition.
        return { ConditionCheck: { ...alwaysTrue, ...table, Key: keyOf(change.key) } };
    }
  }
}

const alwaysTrue = {
  ConditionExpression: 'attribute_exists(#pk) OR attribute_not_exists(#pk)',
  ExpressionAttributeNames: { '#pk': registryTable.partitionKey },
};

interface ConditionParts {
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames?: Record<string, string>;
  readonly ExpressionAttributeValues?: Record<string, AttributeValue>;
}

function isAlways(condition: Condition): boolean {
  return condition !== 'absent' && 'absentOrEquals' in condition && Object.keys(condition.absentOrEquals).length === 0;
}

function expressionOf(condition: Condition): ConditionParts {
  if (isAlways(condition)) {
    return {};
  }
  const pkName = { '#pk': registryTable.partitionKey };
  if (condition === 'absent') {
    return { ConditionExpression: 'attribute_not_exists(#pk)', ExpressionAttributeNames: pkName };
  }
  const wanted = Object.entries('equals' in condition ? condition.equals : condition.absentOrEquals);
  const equal = wanted.map((_, index) => `#value.#n${index} = :v${index}`);
  const expression =
    'equals' in condition
      ? ['attribute_exists(#pk)', ...equal].join(' AND ')
      : `attribute_not_exists(#pk) OR (${equal.join(' AND ')})`;
  if (wanted.length === 0) {
    return { ConditionExpression: expression, ExpressionAttributeNames: pkName };
  }
  return {
    ConditionExpression: expression,
    ExpressionAttributeNames: {
      ...pkName,
      '#value': valueAttribute,
      ...Object.fromEntries(wanted.map(([name], index) => [`#n${index}`, name])),
    },
    ExpressionAttributeValues: Object.fromEntries(wanted.map(([, value], index) => [`:v${index}`, toAttribute(value)])),
  };
}

function keyOf({ pk, sk }: ItemKey): Record<string, AttributeValue> {
  return { [registryTable.partitionKey]: { S: pk }, [registryTable.sortKey]: { S: sk } };
}

function storedItem(change: Change & { readonly kind: 'put' }): Record<string, AttributeValue> {
  return {
    ...keyOf(change.key),
    [valueAttribute]: { M: toAttributes(change.value) },
    // Never before its time: DynamoDB counts in whole seconds.
    ...(change.expiresAtMs === undefined
      ? {}
      : { [registryTable.timeToLive]: { N: String(Math.ceil(change.expiresAtMs / 1_000)) } }),
  };
}

function itemOf(item: Readonly<Record<string, AttributeValue>>): RegistryItem {
  return {
    pk: item[registryTable.partitionKey]?.S ?? '',
    sk: item[registryTable.sortKey]?.S ?? '',
    value: valueOf(item),
  };
}

function valueOf(item: Readonly<Record<string, AttributeValue>>): JsonObject {
  return fromAttributes(item[valueAttribute]?.M ?? {});
}

/** Why a transaction did not happen: one reason a change, in their order. */
function cancelled(thrown: TransactionCanceledException, asked: string, changes: readonly Change[]): RejoinError {
  const reasons = (thrown.CancellationReasons ?? []).flatMap((reason, index) => {
    const change = changes[index];
    return change === undefined || reason.Code === undefined || reason.Code === 'None' ? [] : [{ reason, change }];
  });
  const failed = reasons.filter(({ reason }) => reason.Code === 'ConditionalCheckFailed');
  if (failed.length > 0) {
    return new RejoinError(
      'ConditionFailed',
      failed.map(({ change }) => `item ${nameOf(change.key)} is not as expected: ${describe(change.when)}`).join('; '),
      { cause: thrown },
    );
  }
  const said = reasons.map(({ reason, change }) => `${nameOf(change.key)}: ${saidOf(reason)}`).join('; ');
  const passes = reasons.every(({ reason }) => passingReasons.has(reason.Code ?? ''));
  return new RejoinError(passes ? 'RegistryThrottled' : 'ApiRefused', `can't ${asked}: ${said || thrown.message}`, {
    cause: thrown,
  });
}

function saidOf({ Code, Message }: CancellationReason): string {
  return Message === undefined ? (Code ?? 'no reason') : `${Code ?? 'no code'}: ${Message}`;
}

async function registryCall<T>(asked: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (thrown) {
    throw registryError(asked, thrown);
  }
}

function registryError(asked: string, thrown: unknown): RejoinError {
  const error = apiError(asked, thrown);
  return error.name === 'ApiThrottled' ? new RejoinError('RegistryThrottled', error.message, { cause: thrown }) : error;
}
