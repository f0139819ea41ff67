import { metricNamespace } from '../../adapters/aws/metrics.permissions';
import type { Clock } from '../../core/ports/clock';
import type { Metrics, MetricValue } from '../../core/ports/surroundings';
import type { DeployedAlarm } from '../templates/deployed-app';
import type { RecordFile } from './record-file';

interface DataPoint {
  readonly atMs: number;
  readonly value: number;
}

export type MetricName = Pick<DeployedAlarm, 'namespace' | 'metricName' | 'dimensions'>;

/** High-resolution data is kept this long by CloudWatch. */
const keptForMs = 3 * 3_600_000;
/** Old values are looked for when there are this many more. */
const sweepEvery = 1_000;

/** Metrics in memory: ours, and those that AWS itself would publish of functions and executions. */
export class LocalMetrics implements Metrics {
  private readonly series = new Map<string, DataPoint[]>();

  /** @param record gets every value; null: nobody does */
  constructor(
    private readonly clock: Clock,
    private readonly record: RecordFile | null,
  ) {}

  async publish(values: readonly MetricValue[]): Promise<void> {
    for (const { name, value, dimensions } of values) {
      this.add({ namespace: metricNamespace, metricName: name, dimensions }, value);
    }
  }

  async newest(name: string, dimensions: MetricValue['dimensions'], withinSeconds: number): Promise<number | null> {
    const last = this.pointsOf({ namespace: metricNamespace, metricName: name, dimensions }).at(-1);
    return last !== undefined && last.atMs >= this.clock.nowMs() - withinSeconds * 1_000 ? last.value : null;
  }

  /** A value of any namespace, as of now. */
  add(metric: MetricName, value: number): void {
    const key = keyOf(metric);
    const points = this.series.get(key) ?? [];
    const atMs = this.clock.nowMs();
    points.push({ atMs, value });
    const kept = points.length % sweepEvery === 0 ? points.filter((point) => point.atMs > atMs - keptForMs) : points;
    this.series.set(key, kept);
    this.record?.add({ atMs, ...metric, value });
  }

  /** When its first value that is still kept was published; null: it has none. */
  beganAtMs(metric: MetricName): number | null {
    return this.pointsOf(metric)[0]?.atMs ?? null;
  }

  /** A statistic over `fromMs` (inclusive) to `toMs` (exclusive); null where there is no value. */
  statistic(
    metric: MetricName,
    statistic: DeployedAlarm['statistic'],
    { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  ): number | null {
    const values = this.pointsOf(metric)
      .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      .map(({ value }) => value);
    if (values.length === 0) {
      return null;
    }
    const sum = values.reduce((total, value) => total + value, 0);
    switch (statistic) {
      case 'SampleCount':
        return values.length;
      case 'Sum':
        return sum;
      case 'Average':
        return sum / values.length;
      case 'Minimum':
        return values.reduce((least, value) => Math.min(least, value));
      case 'Maximum':
        return values.reduce((most, value) => Math.max(most, value));
    }
  }

  private pointsOf(metric: MetricName): readonly DataPoint[] {
    return this.series.get(keyOf(metric)) ?? [];
  }
}

/** A metric is its name and exactly these dimensions. */
function keyOf({ namespace, metricName, dimensions }: MetricName): string {
  const sorted = Object.entries(dimensions).sort(([left], [right]) => (left < right ? -1 : 1));
  return JSON.stringify([namespace, metricName, sorted]);
}
