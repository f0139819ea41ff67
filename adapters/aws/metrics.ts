import { type CloudWatchClient, GetMetricDataCommand, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { Clock } from '../../core/ports/clock';
import type { MetricValue, Metrics } from '../../core/ports/surroundings';
import { ask } from './api-error';
import { metricNamespace } from './metrics.permissions';

/** What CloudWatch takes in one call. */
const valuesLimit = 1_000;
/** Values are kept second by second for three hours, and minute by minute after that. */
const finePeriodsSeconds = 10_800;

/** CloudWatch's custom metrics. */
export class CloudWatchMetrics implements Metrics {
  constructor(
    private readonly client: CloudWatchClient,
    private readonly clock: Clock,
  ) {}

  async publish(values: readonly MetricValue[]): Promise<void> {
    const at = new Date(this.clock.nowMs());
    for (let begin = 0; begin < values.length; begin += valuesLimit) {
      const batch = values.slice(begin, begin + valuesLimit);
      await ask(
        `publish metrics ${[...new Set(batch.map(({ name }) => name))].join(', ')}`,
        this.client.send(
          new PutMetricDataCommand({
            Namespace: metricNamespace,
            MetricData: batch.map(({ name, unit, value, dimensions }) => ({
              MetricName: name,
              Unit: unit,
              Value: value,
              Timestamp: at,
              // Alarms on heartbeats look every 10 s.
              StorageResolution: 1,
              Dimensions: dimensionsOf(dimensions),
            })),
          }),
        ),
      );
    }
  }

  async newest(
    name: string,
    dimensions: Readonly<Record<string, string>>,
    withinSeconds: number,
  ): Promise<number | null> {
    const nowMs = this.clock.nowMs();
    let token: string | undefined;
    do {
      const page = await ask(
        `read metric '${name}'`,
        this.client.send(
          new GetMetricDataCommand({
            // The end is not part of the time asked for.
            StartTime: new Date(nowMs - withinSeconds * 1_000),
            EndTime: new Date(nowMs + 1_000),
            ScanBy: 'TimestampDescending',
            MetricDataQueries: [
              {
                Id: 'newest',
                MetricStat: {
                  Metric: { Namespace: metricNamespace, MetricName: name, Dimensions: dimensionsOf(dimensions) },
                  Period: withinSeconds <= finePeriodsSeconds ? 1 : 60,
                  Stat: 'Maximum',
                },
              },
            ],
            ...(token === undefined ? {} : { NextToken: token }),
          }),
        ),
      );
      const value = page.MetricDataResults?.[0]?.Values?.[0];
      if (value !== undefined) {
        return value;
      }
      token = page.NextToken;
    } while (token !== undefined);
    return null;
  }
}

function dimensionsOf(dimensions: Readonly<Record<string, string>>): { Name: string; Value: string }[] {
  return Object.entries(dimensions)
    .map(([Name, Value]) => ({ Name, Value }))
    .sort((left, right) => (left.Name < right.Name ? -1 : 1));
}
