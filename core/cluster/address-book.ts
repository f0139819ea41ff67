import type { DatabaseAddress } from '../ports/database-engine';
import type { Settings } from '../ports/surroundings';
import { databaseOf, type ClusterRegistry } from './cluster-registry';

/** Where the database servers of a cluster's nodes answer. */
export class AddressBook {
  constructor(
    private readonly registry: ClusterRegistry,
    private readonly settings: Settings,
  ) {}

  /** @throws NotFound when there is no such cluster or node */
  async of(cluster: string, nodeId: string): Promise<DatabaseAddress> {
    const [settings, node] = await Promise.all([this.settings.cluster(cluster), this.registry.node(cluster, nodeId)]);
    return databaseOf(settings, node);
  }

  /** A node whose address is known already, such as a replacement that has just been launched. */
  async at(
    cluster: string,
    place: { readonly nodeId: string; readonly host: string; readonly port: number },
  ): Promise<DatabaseAddress> {
    return databaseOf(await this.settings.cluster(cluster), { id: place.nodeId, host: place.host, port: place.port });
  }
}
