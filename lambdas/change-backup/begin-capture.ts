import * as z from 'zod';
import { registry, settings, stepPorts } from '../../adapters/ports';
import { takeCaptureLease } from '../../core/backup/capture-lease';
import { intoGroups } from '../../core/backup/groups';
import { ClusterRegistry } from '../../core/cluster/cluster-registry';
import { nameSchema } from '../../core/cluster/settings';
import { isRejoinError, messageOf } from '../../core/errors';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
}

/** `asked` is the execution's own input. */
const inputSchema = z.strictObject({ asked: z.strictObject({ cluster: nameSchema }) });

/** Longer than the machine runs, so that a capture never outlives its lease. */
const leaseMs = 660_000;

/** Takes the capture lease and lists the slots to capture. While another capture holds it there is nothing to do. */
export const makeStep = (ports: Ports) =>
  defineStep(
    ports,
    { name: 'begin-capture', input: inputSchema, effect: 'changes' },
    async ({ asked: { cluster } }, { run }) => {
      const { layout } = await ports.settings.cluster(cluster);
      if (layout === 'replicated') {
        const reason = `cluster '${cluster}' is replicated: its nodes' own logs are its changes`;
        return { action: 'none', reason, lease: null, groups: [] };
      }
      try {
        const lease = await takeCaptureLease(ports.leases, cluster, run, leaseMs);
        const slots = await new ClusterRegistry(ports.registry).slots(cluster);
        const groups = intoGroups(slots.map((slot) => slot.name));
        return { action: 'capture', reason: `${slots.length} slots`, lease, groups };
      } catch (thrown) {
        if (!isRejoinError(thrown, 'LeaseHeld')) {
          throw thrown;
        }
        return { action: 'none', reason: messageOf(thrown), lease: null, groups: [] };
      }
    },
  );

export const handler = makeStep({ ...stepPorts(), registry: registry(), settings: settings() });
