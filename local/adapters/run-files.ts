import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { namedClusterSettingsSchema, type ClusterSettings } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import type { Credentials, Secrets, Settings } from '../../core/ports/surroundings';
import { keyOfPath, pathOfKey } from '../objects/key-path';

/** Only who runs the rehearsal reads these files: they hold passwords. */
const ownerOnly = { mode: 0o600 };

const secretSchema = z.object({
  username: z.string().min(1),
  password: z.string().min(1),
  /** The certificate authority of the cluster's servers, in PEM. */
  ca: z.string().optional(),
});

/** Settings and secrets as files of a run: every process reads them directly. */
export class RunFiles implements Settings, Secrets {
  /** @param folder the run's own */
  constructor(private readonly folder: string) {}

  async putCluster(settings: ClusterSettings): Promise<void> {
    await put(this.fileOf('settings', settings.name), settings);
  }

  async putSecret(name: string, secret: unknown): Promise<void> {
    await put(this.fileOf('secrets', name), secret);
  }

  async cluster(name: string): Promise<ClusterSettings> {
    const text = await this.read('settings', name);
    if (text === null) {
      const others = this.names('settings').join(', ');
      throw new RejoinError('NotFound', `there are no settings of a cluster '${name}' (clusters: ${others || 'none'})`);
    }
    const parsed = namedClusterSettingsSchema.safeParse(JSON.parse(text));
    if (!parsed.success) {
      throw new RejoinError(
        'InvalidSettings',
        `the settings of cluster '${name}' are not whole: ${parsed.error.message}`,
      );
    }
    return parsed.data;
  }

  async credentials(secretName: string): Promise<Credentials> {
    const { username, password } = await this.secret(secretName);
    return { username, password };
  }

  /** What a cluster's servers are verified against; null: it has TLS disabled. @throws InvalidSettings when its secret has no `ca` */
  async certificateAuthority(cluster: string): Promise<string | null> {
    const { tls, secret } = await this.cluster(cluster);
    if (tls === 'disabled') {
      return null;
    }
    const { ca } = await this.secret(secret);
    if (ca === undefined) {
      throw new RejoinError(
        'InvalidSettings',
        `secret '${secret}' has no 'ca', so that cluster '${cluster}' can't be verified; set it, or 'tls: disabled'`,
      );
    }
    return ca;
  }

  private async secret(secretName: string): Promise<z.infer<typeof secretSchema>> {
    const text = await this.read('secrets', secretName);
    if (text === null) {
      throw new RejoinError('NotFound', `there is no secret '${secretName}'; check 'secret' of the cluster's settings`);
    }
    const parsed = secretSchema.safeParse(jsonOf(text));
    if (!parsed.success) {
      // Names the fields that are wrong, and never what is in them.
      const wrong = [...new Set(parsed.error.issues.map(({ path }) => path.join('.') || 'the whole'))].join(', ');
      throw new RejoinError(
        'InvalidSettings',
        `secret '${secretName}' must be JSON with 'username' and 'password', and may have 'ca' (wrong: ${wrong})`,
      );
    }
    return parsed.data;
  }

  private names(kind: 'settings'): readonly string[] {
    const folder = join(this.folder, kind);
    const files = existsSync(folder) ? readdirSync(folder) : [];
    return files.map((file) => keyOfPath(file)).sort();
  }

  private async read(kind: 'settings' | 'secrets', name: string): Promise<string | null> {
    try {
      return await readFile(this.fileOf(kind, name), 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') {
        return null;
      }
      throw thrown;
    }
  }

  private fileOf(kind: 'settings' | 'secrets', name: string): string {
    return join(this.folder, kind, pathOfKey(name));
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes what it read.
    return null;
  }
}

async function put(file: string, content: unknown): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`, ownerOnly);
}
