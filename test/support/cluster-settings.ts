import { clusterSettingsSchema, type ClusterSettings } from '../../core/cluster/settings';

/** The settings of a cluster, defaults filled in. */
export function clusterSettings(changes: Partial<ClusterSettings> = {}): ClusterSettings {
  const { name = 'orders', ...given } = changes;
  const parsed = clusterSettingsSchema.parse({
    layout: 'sharded',
    database: 'orders',
    secret: `${name}/administrator`,
    sites: { a: { subnetId: 'subnet-a' } },
    nodes: {},
    ...given,
  });
  return { ...parsed, name };
}
