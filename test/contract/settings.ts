import { clusterSettingsSchema, type ClusterSettings } from '../../core/cluster/settings';
import type { Settings } from '../../core/ports/surroundings';
import { expectError } from './expect-error';

export interface SettingsSubject {
  readonly settings: Settings;
  /** Makes this text what is kept for a cluster. */
  put(cluster: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** Settings of a cluster, defaults filled in. */
export function settingsOf(name: string): ClusterSettings {
  return {
    ...clusterSettingsSchema.parse({
      layout: 'sharded',
      database: 'shop',
      secret: `${name}/admin`,
      sites: { 'site-a': { subnetId: 'subnet-0123456789abcdef0' } },
      nodes: {
        'node-1': {
          site: 'site-a',
          host: `node-1.${name}.test`,
          machine: { kind: 'ec2', instanceId: 'i-0123456789abcdef0' },
        },
      },
    }),
    name,
  };
}

/** What every `Settings` does, wherever they are kept. */
export function describeSettingsContract(name: string, makeSubject: () => Promise<SettingsSubject>): void {
  describe(`Settings: ${name}`, () => {
    let subject: SettingsSubject;

    beforeEach(async () => {
      subject = await makeSubject();
    });
    afterEach(async () => {
      await subject.close();
    });

    const keep = async (settings: ClusterSettings): Promise<void> =>
      subject.put(settings.name, JSON.stringify(settings));

    test('gives a cluster as it was deployed', async () => {
      await keep(settingsOf('orders'));
      await keep(settingsOf('stock'));
      expect(await subject.settings.cluster('orders')).toEqual(settingsOf('orders'));
      expect(await subject.settings.cluster('stock')).toEqual(settingsOf('stock'));
    });

    test('names the clusters that there are when it is asked for another one', async () => {
      await expectError(subject.settings.cluster('orders'), 'NotFound', "'orders'", 'none');
      await keep(settingsOf('stock'));
      await keep(settingsOf('basket'));
      await expectError(subject.settings.cluster('orders'), 'NotFound', "'orders'", 'basket, stock');
    });

    test('refuses what are no settings', async () => {
      await subject.put('orders', JSON.stringify({ name: 'orders', layout: 'round' }));
      await expectError(subject.settings.cluster('orders'), 'InvalidSettings', 'orders', 'layout');
    });
  });
}
