import type { Metrics, MetricValue } from '../../core/ports/surroundings';
import { contractTest, eventually } from './gaps';

export interface MetricsSubject {
  /** Without values. */
  readonly metrics: Metrics;
  close(): Promise<void>;
}

/** What a stand-in may lack. */
export type MetricsGap = 'newest of a second' | 'exact dimensions';

/** What every `Metrics` does, wherever they are kept. */
export function describeMetricsContract(
  name: string,
  makeSubject: () => Promise<MetricsSubject>,
  gaps: readonly MetricsGap[] = [],
): void {
  describe(`Metrics: ${name}`, () => {
    let metrics: Metrics;
    let subject: MetricsSubject;

    beforeEach(async () => {
      subject = await makeSubject();
      metrics = subject.metrics;
    });
    afterEach(async () => {
      await subject.close();
    });

    const lag = (value: number, changes: Partial<MetricValue> = {}): MetricValue => ({
      name: 'ReplicationLag',
      unit: 'Bytes',
      value,
      dimensions: { Cluster: 'orders', Node: 'node-1' },
      ...changes,
    });
    const newest = async (
      dimensions: MetricValue['dimensions'] = { Cluster: 'orders', Node: 'node-1' },
      withinSeconds = 120,
    ): Promise<number | null> => metrics.newest('ReplicationLag', dimensions, withinSeconds);

    test('knows no value of a metric that nobody published: null, not 0', async () => {
      expect(await newest()).toBeNull();
    });

    test('gives a value back, 0 too', async () => {
      await metrics.publish([lag(0)]);
      expect(
        await eventually(
          async () => newest(),
          (value) => value !== null,
        ),
      ).toBe(0);
    });

    test('gives the newest of several', async () => {
      await metrics.publish([lag(900)]);
      // CloudWatch tells apart what is a second apart.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      await metrics.publish([lag(5)]);
      expect(
        await eventually(
          async () => newest(),
          (value) => value === 5,
        ),
      ).toBe(5);
    });

    test('takes several metrics at once, and none', async () => {
      await metrics.publish([]);
      await metrics.publish([
        lag(7),
        lag(8, { name: 'Chunks', unit: 'Count' }),
        lag(9, { dimensions: { Cluster: 'stock' } }),
      ]);
      expect(
        await eventually(
          async () => newest(),
          (value) => value !== null,
        ),
      ).toBe(7);
      expect(await newest({ Cluster: 'stock' })).toBe(9);
      expect(await metrics.newest('Chunks', { Node: 'node-1', Cluster: 'orders' }, 120)).toBe(8);
    });

    contractTest(gaps, 'exact dimensions', 'a metric is its name and exactly its dimensions', async () => {
      await metrics.publish([lag(7)]);
      await eventually(
        async () => newest(),
        (value) => value !== null,
      );
      expect(await newest({ Cluster: 'orders' })).toBeNull();
      expect(await newest({ Cluster: 'orders', Node: 'node-2' })).toBeNull();
      expect(await newest({ Cluster: 'orders', Node: 'node-1', Shard: 's' })).toBeNull();
      expect(await newest({})).toBeNull();
    });

    contractTest(gaps, 'newest of a second', 'knows nothing that is too old', async () => {
      await metrics.publish([lag(7)]);
      await eventually(
        async () => newest(),
        (value) => value !== null,
      );
      expect(
        await eventually(
          async () => newest(undefined, 2),
          (value) => value === null,
        ),
      ).toBeNull();
      expect(await newest()).toBe(7);
    });
  });
}
