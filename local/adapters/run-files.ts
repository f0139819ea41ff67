import { readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { clusterSettingsSchema, type ClusterSettings } from '../../core/cluster/settings';
import { RejoinError } from '../../core/errors';
import type { Credentials, Secrets, Settings } from '../../core/ports/surroundings';
import { keyOfPath, pathOfKey } from '../objects/key-path';

/** Only who runs the rehearsal reads these files: they hold passwords. */
const ownerOnly = { mode: 0o600 };

const credentialsSchema = z.object({ username: z.string().min(1), password: z.string().min(1) });
const namedSettingsSchema = clusterSettingsSchema.extend({ name: z.string() });

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
    return namedSettingsSchema.parse(JSON.parse(text));
  }

  async credentials(secretName: string): Promise<Credentials> {
    const text = await this.read('secrets', secretName);
    if (text === null) {
      throw new RejoinError('NotFound', `there is no secret '${secretName}'; check 'secret' of the cluster's settings`);
    }
    const parsed = credentialsSchema.safeParse(JSON.parse(text));
    if (!parsed.success) {
      throw new RejoinError(
        'InvalidSettings',
        `secret '${secretName}' must be JSON with 'username' and 'password' (wrong: ${parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')})`,
      );
    }
    return { username: parsed.data.username, password: parsed.data.password };
  }

  private names(kind: 'settings'): readonly string[] {
    return readdirSync(join(this.folder, kind))
      .map((file) => keyOfPath(file))
      .sort();
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

async function put(file: string, content: unknown): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`, ownerOnly);
}
