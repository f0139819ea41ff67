import type * as z from 'zod';
import { RejoinError } from '../errors';
import type { JsonObject } from '../json';
import type { DatabaseAddress } from '../ports/database-engine';
import type { Change, ItemKey, Registry } from '../ports/registry';
import type { BackupItem, ClusterMeta, DecisionItem, NodeItem, Shard, SlotItem } from './items';
import { backupSchema, clusterMetaSchema, decisionSchema, nodeSchema, shardSchema, slotSchema } from './items';

/** The registry in terms of clusters: every read is checked, every write is conditional. */
export class ClusterRegistry {
  constructor(private readonly registry: Registry) {}

  /** @throws NotFound */
  async meta(cluster: string): Promise<ClusterMeta> {
    const found = await this.read(cluster, 'META', clusterMetaSchema);
    return found ?? missing(`cluster '${cluster}' is not in the registry; check 'cluster' in the execution input`);
  }

  async nodes(cluster: string): Promise<readonly NodeItem[]> {
    return this.all(cluster, 'NODE#', nodeSchema);
  }

  /** @throws NotFound, naming the members */
  async node(cluster: string, nodeId: string): Promise<NodeItem> {
    const found = await this.read(cluster, `NODE#${nodeId}`, nodeSchema);
    if (found !== null) {
      return found;
    }
    const members = (await this.nodes(cluster)).map((node) => node.id).join(', ');
    return missing(
      `node '${nodeId}' is not a member of cluster '${cluster}' (members: ${members || 'none'}); check 'nodeId' in the execution input`,
    );
  }

  async shards(cluster: string): Promise<readonly Shard[]> {
    return this.all(cluster, 'SHARD#', shardSchema);
  }

  /** @throws NotFound */
  async shard(cluster: string, shard: string): Promise<Shard> {
    const found = await this.read(cluster, `SHARD#${shard}`, shardSchema);
    return found ?? missing(`cluster '${cluster}' has no shard '${shard}'`);
  }

  /** Replaces a shard's item where nobody changed it since `before` was read. @throws ConditionFailed */
  async changeShard(cluster: string, before: Shard, after: Omit<Shard, 'version'>): Promise<Shard> {
    const next: Shard = { ...after, version: before.version + 1 };
    await this.registry.write([
      {
        kind: 'put',
        key: itemKey(cluster, `SHARD#${before.id}`),
        value: next,
        when: { equals: { epoch: before.epoch, version: before.version } },
      },
    ]);
    return next;
  }

  async slot(cluster: string, name: string): Promise<SlotItem | null> {
    return this.read(cluster, `SLOT#${name}`, slotSchema);
  }

  async slots(cluster: string): Promise<readonly SlotItem[]> {
    return this.all(cluster, 'SLOT#', slotSchema);
  }

  async backup(cluster: string, id: string): Promise<BackupItem | null> {
    return this.read(cluster, `BACKUP#${id}`, backupSchema);
  }

  async backups(cluster: string): Promise<readonly BackupItem[]> {
    return this.all(cluster, 'BACKUP#', backupSchema);
  }

  async decisions(cluster: string): Promise<readonly DecisionItem[]> {
    return this.all(cluster, 'DECISION#', decisionSchema);
  }

  /** Puts an item that must not be there yet. @throws ConditionFailed when it is */
  async add(cluster: string, item: ClusterItem): Promise<void> {
    await this.registry.write([{ kind: 'put', key: keyOf(cluster, item), value: item.value, when: 'absent' }]);
  }

  /** Puts an item, or finds it there already. @throws ConditionFailed when another one is there */
  async enter(cluster: string, item: ClusterItem): Promise<void> {
    const when = { absentOrEquals: item.value };
    await this.registry.write([{ kind: 'put', key: keyOf(cluster, item), value: item.value, when }]);
  }

  /** Replaces an item that must still be as it was read. @throws ConditionFailed when it changed */
  async replace(cluster: string, before: ClusterItem, after: ClusterItem): Promise<void> {
    await this.registry.write([
      { kind: 'put', key: keyOf(cluster, after), value: after.value, when: { equals: before.value } },
    ]);
  }

  /** Removes an item that must still be as it was read. @throws ConditionFailed when it changed */
  async remove(cluster: string, item: ClusterItem): Promise<void> {
    await this.registry.write([{ kind: 'remove', key: keyOf(cluster, item), when: { equals: item.value } }]);
  }

  /** Several changes at once, all or none; see `Registry.write`. */
  async write(changes: readonly Change[]): Promise<void> {
    await this.registry.write(changes);
  }

  private async read<T>(cluster: string, sk: string, schema: z.ZodType<T>): Promise<T | null> {
    const value = await this.registry.read(itemKey(cluster, sk));
    return value === null ? null : parse(schema, value, sk);
  }

  private async all<T>(cluster: string, prefix: string, schema: z.ZodType<T>): Promise<readonly T[]> {
    const items = await this.registry.list(`CLUSTER#${cluster}`, prefix);
    return items.map((item) => parse(schema, item.value, item.sk));
  }
}

/** A typed item, with the prefix of its sort key. */
export type ClusterItem =
  | { readonly kind: 'META'; readonly value: ClusterMeta }
  | { readonly kind: 'NODE'; readonly value: NodeItem }
  | { readonly kind: 'SHARD'; readonly value: Shard }
  | { readonly kind: 'SLOT'; readonly value: SlotItem }
  | { readonly kind: 'BACKUP'; readonly value: BackupItem }
  | { readonly kind: 'DECISION'; readonly value: DecisionItem };

/** Where an item of a cluster stands. */
export function keyOf(cluster: string, item: ClusterItem): ItemKey {
  switch (item.kind) {
    case 'META':
      return itemKey(cluster, 'META');
    case 'NODE':
    case 'SHARD':
    case 'BACKUP':
      return itemKey(cluster, `${item.kind}#${item.value.id}`);
    case 'SLOT':
      return itemKey(cluster, `SLOT#${item.value.name}`);
    case 'DECISION':
      // Padded, so that decisions are listed in their order.
      return itemKey(cluster, `DECISION#${String(item.value.epoch).padStart(10, '0')}`);
  }
}

/** Where a node's database server answers. */
export function databaseOf(
  cluster: { readonly name: string; readonly database: string },
  node: Pick<NodeItem, 'id' | 'host' | 'port'>,
): DatabaseAddress {
  return { cluster: cluster.name, nodeId: node.id, host: node.host, port: node.port, database: cluster.database };
}

/** Where the server of a node answers that the registry names as an owner. @throws NotFound when it is no member */
export function ownerAddress(
  cluster: { readonly name: string; readonly database: string },
  nodes: readonly NodeItem[],
  nodeId: string,
): DatabaseAddress {
  const node = nodes.find((candidate) => candidate.id === nodeId);
  return node === undefined
    ? missing(`node '${nodeId}' owns a shard of cluster '${cluster.name}' but is no member`)
    : databaseOf(cluster, node);
}

function itemKey(cluster: string, sk: string): ItemKey {
  return { pk: `CLUSTER#${cluster}`, sk };
}

function parse<T>(schema: z.ZodType<T>, value: JsonObject, sk: string): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new RejoinError(
      'InvalidInput',
      `registry item '${sk}' is not as this version writes it: ${parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')}`,
    );
  }
  return parsed.data;
}

function missing(message: string): never {
  throw new RejoinError('NotFound', message);
}
