import { BackupKeys } from '../../../core/backup/object-keys';
import { BackupWorld } from '../../support/backup-world';
import { cluster } from '../../support/simulated-cluster';

test('works', async () => {
  const world = await BackupWorld.open({ shards: 4 });
  const result = await world.run('full-backup', 'b1');
  console.log(result, await world.cluster.registry.backups(cluster), await world.cluster.registry.slots(cluster));
  console.log((await world.cluster.backups.read(new BackupKeys(cluster, 'b1').manifest)).toString());
  const changes = await world.run('change-backup', 'c1');
  console.log(changes);
  expect(1).toBe(1);
});
