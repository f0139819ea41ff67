import type { Credentials } from '../../../core/ports/surroundings';
import type { DatabaseAddress } from '../../../core/ports/database-engine';

export interface ConninfoOrder {
  readonly primary: DatabaseAddress;
  /** Where its host name leads, for a server whose own resolver doesn't know it; the name itself where it does. */
  readonly hostAddress: string;
  readonly credentials: Credentials;
  readonly name: string;
  /** Path, on the follower's host, of the certificate authority; null: TLS is disabled. */
  readonly authorityFile: string | null;
}

/**
 * The connection string by which a follower's server reaches its primary. `application_name` is what the primary
 * compares with `synchronous_standby_names`; the certificate is compared with the host's name, not its address.
 */
export function conninfo(order: ConninfoOrder): string {
  const { primary, hostAddress, credentials, name, authorityFile } = order;
  const parameters: readonly (readonly [string, string])[] = [
    ['host', primary.host],
    ...(hostAddress === primary.host ? [] : ([['hostaddr', hostAddress]] as const)),
    ['port', String(primary.port)],
    ['dbname', primary.database],
    ['user', credentials.username],
    ['password', credentials.password],
    ['application_name', name],
    ['connect_timeout', '5'],
    // A primary that vanished is noticed by the agents; this ends what the follower still waits for.
    ['keepalives_idle', '10'],
    ['keepalives_interval', '5'],
    ['keepalives_count', '3'],
    ...(authorityFile === null
      ? ([['sslmode', 'disable']] as const)
      : ([
          ['sslmode', 'verify-full'],
          ['sslrootcert', authorityFile],
        ] as const)),
  ];
  return parameters.map(([keyword, value]) => `${keyword}=${quoted(value)}`).join(' ');
}

/** libpq's quoting: in single quotes, with a backslash before quotes and backslashes. */
function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
