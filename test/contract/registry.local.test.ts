import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../adapters/system-clock';
import { LocalRegistry } from '../../local/registry/local-registry';
import { describeRegistryContract } from './registry';

describeRegistryContract('in memory', async () => {
  const registry = new LocalRegistry(systemClock, null);
  return {
    registry,
    close: async () => {
      registry.close();
    },
  };
});

describeRegistryContract('with a journal', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-registry-'));
  const registry = new LocalRegistry(systemClock, folder);
  return {
    registry,
    close: async () => {
      registry.close();
      await rm(folder, { recursive: true });
    },
  };
});
