import type { Credentials } from '../../../core/ports/surroundings';
import type { DatabaseAddress } from '../../../core/ports/database-engine';

/**
 * The connection string by which a follower's server reaches its primary. `application_name` is what the primary
 * compares with `synchronous_standby_names`.
 *
 * @param authorityFile path, on the follower's host, of the certificate authority; null: TLS is disabled
 */
export function conninfo(
  primary: DatabaseAddress,
  credentials: Credentials,
  name: string,
  authorityFile: string | null,
): string {
  const parameters: readonly (readonly [string, string])[] = [
    ['host', primary.host],
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
