import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Credentials, Secrets } from '../../core/ports/surroundings';
import { ask } from './api-error';
import { BriefCache } from './brief-cache';

/** A rotated password is used after at most this long. */
const keepMs = 60_000;

/** RDS writes more fields (engine, host, port), which Rejoin has from elsewhere. */
const secretSchema = z.object({
  username: z.string().min(1),
  password: z.string().min(1),
  /** The certificate authority of the cluster's servers, in PEM. */
  ca: z.string().includes('-----BEGIN CERTIFICATE-----').optional(),
});
type Secret = z.infer<typeof secretSchema>;

/** Secrets Manager. */
export class ManagedSecrets implements Secrets {
  private readonly cache: BriefCache<Secret>;

  constructor(
    private readonly client: SecretsManagerClient,
    clock: Clock,
  ) {
    this.cache = new BriefCache(clock, keepMs);
  }

  async credentials(secretName: string): Promise<Credentials> {
    const { username, password } = await this.read(secretName);
    return { username, password };
  }

  /** The secret's own certificate authority, or null when it names none. @throws as credentials */
  async certificateAuthority(secretName: string): Promise<string | null> {
    return (await this.read(secretName)).ca ?? null;
  }

  private read(secretName: string): Promise<Secret> {
    return this.cache.get(secretName, async () => {
      const { SecretString } = await ask(
        `read secret '${secretName}'`,
        this.client.send(new GetSecretValueCommand({ SecretId: secretName })),
        { ResourceNotFoundException: 'NotFound' },
      );
      return parse(secretName, SecretString ?? '');
    });
  }
}

/** Names the fields that are wrong, and never what is in them. */
function parse(secretName: string, text: string): Secret {
  const parsed = secretSchema.safeParse(jsonOf(text));
  if (!parsed.success) {
    const wrong = [...new Set(parsed.error.issues.map(({ path }) => path.join('.') || 'the whole'))].join(', ');
    throw new RejoinError(
      'InvalidSettings',
      `secret '${secretName}' must be JSON with 'username' and 'password', and may have 'ca', a certificate in PEM (wrong: ${wrong})`,
    );
  }
  return parsed.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes what it read.
    return null;
  }
}
