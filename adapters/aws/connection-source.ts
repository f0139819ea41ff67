import { existsSync, readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { Settings } from '../../core/ports/surroundings';
import type { ConnectionSource } from '../../engines/postgresql/connection';
import type { ManagedSecrets } from './secrets';

/** Where the Lambda runtime keeps Amazon's certificate authorities, those of RDS among them; hosts may have it too. */
const amazonBundle = '/var/runtime/ca-cert.pem';

/**
 * Certificates are verified against the authority in the cluster's secret (`ca`), else against the public ones and those
 * of RDS.
 *
 * @param bundle a file of more authorities, which may be absent
 */
export function connectionSource(settings: Settings, secrets: ManagedSecrets, bundle = amazonBundle): ConnectionSource {
  return {
    credentials: async (cluster) => secrets.credentials((await settings.cluster(cluster)).secret),
    certificateAuthority: async (cluster) => {
      const { tls, secret } = await settings.cluster(cluster);
      // rejoin.yaml may say so for loopback addresses only.
      return tls === 'disabled' ? null : ((await secrets.certificateAuthority(secret)) ?? publicAuthorities(bundle));
    },
  };
}

function publicAuthorities(bundle: string): string {
  return [...rootCertificates, ...(existsSync(bundle) ? [readFileSync(bundle, 'utf8')] : [])].join('\n');
}
