import type { Client } from 'pg';
import type { DatabaseAddress } from '../../../core/ports/database-engine';
import { type ConnectionSource, reachableHost } from '../connection';
import { placeAuthorityFile } from './authority-file';
import { conninfo } from './conninfo';

/**
 * The connection string by which the server of `client` reaches another one, under a name of its own. Places the file on
 * its host that it verifies the other one with.
 */
export async function connectionTo(
  source: ConnectionSource,
  client: Client,
  order: { readonly name: string; readonly primary: DatabaseAddress },
): Promise<string> {
  const { name, primary } = order;
  const [credentials, authority, hostAddress] = await Promise.all([
    source.credentials(primary.cluster),
    source.certificateAuthority(primary.cluster),
    reachableHost(source, primary),
  ]);
  const authorityFile = authority === null ? null : await placeAuthorityFile(client, authority);
  return conninfo({ primary, hostAddress, credentials, name, authorityFile });
}
