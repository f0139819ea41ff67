import * as z from 'zod';
import { backups, databases, registry, settings, stepPorts } from '../../adapters/ports';
import { dropSlotsOf, removeBackupItem, removeObjects } from '../../core/backup/remove-backup';
import { AddressBook } from '../../core/cluster/address-book';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import type { DatabaseEngine } from '../../core/ports/database-engine';
import type { Objects } from '../../core/ports/objects';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
  readonly backups: Objects;
  readonly databases: Pick<DatabaseEngine, 'dropSlot'>;
}

const inputSchema = z.strictObject({
  cluster: z.string(),
  backup: z.string(),
  /** `slots`: a damaged backup stays to be looked at, but its slots would hold back log for nothing. */
  what: z.enum(['everything', 'slots']),
});

/** Puts back what a backup changed: its slots, and unless it was only found damaged, its objects and its item. */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'undo-backup', input: inputSchema, effect: 'changes' }, async (input) => {
    const { cluster, backup } = input;
    const clusters = new ClusterRegistry(ports.registry);
    const addresses = new AddressBook(clusters, ports.settings);
    const unreachable = await dropSlotsOf({ ...ports, registry: clusters, addresses }, cluster, backup);
    if (input.what === 'everything') {
      await removeObjects(ports.backups, cluster, backup);
      await removeBackupItem(clusters, cluster, backup);
    }
    return { unreachable: [...unreachable] };
  });

export const handler = makeStep({
  ...stepPorts(),
  registry: registry(),
  settings: settings(),
  backups: backups(),
  databases: databases(),
});
