import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';

/** JSON as DynamoDB keeps it. @throws InvalidInput for a number that is none */
export function toAttribute(value: Json): AttributeValue {
  if (value === null) {
    return { NULL: true };
  }
  if (typeof value === 'string') {
    return { S: value };
  }
  if (typeof value === 'boolean') {
    return { BOOL: value };
  }
  if (typeof value !== 'number') {
    return isList(value) ? { L: value.map(toAttribute) } : { M: toAttributes(value) };
  }
  if (!Number.isFinite(value)) {
    throw new RejoinError('InvalidInput', `the registry keeps finite numbers (given: ${value}); unknown is null`);
  }
  return { N: String(value) };
}

export function toAttributes(value: JsonObject): Record<string, AttributeValue> {
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toAttribute(inner)]));
}

/** What `toAttribute` was given. @throws ApiRefused for a kind of attribute that JSON does not have */
export function fromAttribute(attribute: AttributeValue): Json {
  if (attribute.S !== undefined) {
    return attribute.S;
  }
  if (attribute.N !== undefined) {
    return Number(attribute.N);
  }
  if (attribute.BOOL !== undefined) {
    return attribute.BOOL;
  }
  if (attribute.NULL !== undefined) {
    return null;
  }
  if (attribute.L !== undefined) {
    return attribute.L.map(fromAttribute);
  }
  if (attribute.M !== undefined) {
    return fromAttributes(attribute.M);
  }
  throw new RejoinError(
    'ApiRefused',
    `the registry's table holds an attribute of kind ${Object.keys(attribute).join()}, which Rejoin never writes; remove the item by hand`,
  );
}

export function fromAttributes(attributes: Readonly<Record<string, AttributeValue>>): JsonObject {
  return Object.fromEntries(Object.entries(attributes).map(([name, inner]) => [name, fromAttribute(inner)]));
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
