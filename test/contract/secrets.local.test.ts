import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RunFiles } from '../../local/adapters/run-files';
import { pathOfKey } from '../../local/objects/key-path';
import { describeSecretsContract } from './secrets';

describeSecretsContract('files of a run', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-secrets-'));
  return {
    secrets: new RunFiles(folder),
    put: async (name, text) => {
      const file = join(folder, 'secrets', pathOfKey(name));
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    },
    close: async () => rm(folder, { recursive: true }),
  };
});
