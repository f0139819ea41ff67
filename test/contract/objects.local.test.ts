import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalObjects } from '../../local/objects/local-objects';
import { describeObjectsContract } from './objects';

describeObjectsContract('files', async () => {
  const root = await mkdtemp(join(tmpdir(), 'rejoin-objects-'));
  return { objects: new LocalObjects(root, 'rejoin-backups'), close: async () => rm(root, { recursive: true }) };
});
