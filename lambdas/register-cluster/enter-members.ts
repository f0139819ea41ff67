import * as z from 'zod';
import { registry, settings, stepPorts } from '../../adapters/ports';
import { memberChanges } from '../../core/registration/member-items';
import { plannedShardSchema } from '../../core/registration/planned-shard';
import type { Registry } from '../../core/ports/registry';
import type { Settings } from '../../core/ports/surroundings';
import { defineStep, type StepPorts } from '../../core/step/define-step';

interface Ports extends StepPorts {
  readonly registry: Registry;
  readonly settings: Settings;
}

const inputSchema = z.strictObject({ cluster: z.string(), groups: z.array(z.array(plannedShardSchema)) });

/** Enters a cluster's nodes and shards in the registry. @throws ConditionFailed when one is there already, and is another */
export const makeStep = (ports: Ports) =>
  defineStep(ports, { name: 'enter-members', input: inputSchema, effect: 'changes' }, async ({ cluster, groups }) => {
    const batches = memberChanges(await ports.settings.cluster(cluster), groups.flat());
    for (const batch of batches) {
      await ports.registry.write(batch);
    }
    return { items: batches.flat().length };
  });

export const handler = makeStep({ ...stepPorts(), registry: registry(), settings: settings() });
