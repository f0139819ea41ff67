import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterSettings } from '../../core/cluster/settings';
import { RunFiles } from '../../local/adapters/run-files';
import { describeSettingsContract } from './settings';

describeSettingsContract('files of a run', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-settings-'));
  const settings = new RunFiles(folder);
  return {
    settings,
    put: async (_cluster, text) => settings.putCluster(JSON.parse(text) as ClusterSettings),
    close: async () => rm(folder, { recursive: true }),
  };
});
