import { RejoinError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { DeployedAlarm } from '../templates/deployed-app';
import type { EventBus } from './event-bus';
import { judgeAlarm, type AlarmState } from './judge-alarm';
import type { LocalMetrics } from './local-metrics';

export interface AlarmsOptions {
  /** Those of the templates. */
  readonly alarms: readonly DeployedAlarm[];
  readonly metrics: LocalMetrics;
  readonly bus: EventBus;
  readonly clock: Clock;
  /** How often alarms are judged; CloudWatch does it every 10 s at best. */
  readonly everyMs: number;
  /** Does an alarm's own action. */
  act(actionArn: string, alarm: DeployedAlarm, reason: string): Promise<void>;
}

/**
 * The alarms of the templates, judged from the local metrics. Each change of state is an event, as CloudWatch sends it. An
 * alarm is judged from its metric's first value on: before that nothing is there yet that could be missed.
 */
export class LocalAlarms {
  private readonly alarms: Map<string, DeployedAlarm>;
  private readonly states = new Map<string, AlarmState>();
  private readonly ending = new AbortController();
  private readonly judging: Promise<void>;

  constructor(private readonly options: AlarmsOptions) {
    this.alarms = new Map(options.alarms.map((alarm) => [alarm.name, alarm]));
    this.judging = this.judgeAgainAndAgain();
  }

  get names(): readonly string[] {
    return [...this.alarms.keys()];
  }

  /** Adds an alarm, or takes the place of the one of that name, whose state stays. */
  put(alarm: DeployedAlarm): void {
    this.alarms.set(alarm.name, alarm);
  }

  /** An absent one is no error. */
  remove(name: string): void {
    this.alarms.delete(name);
    this.states.delete(name);
  }

  stateOf(name: string): AlarmState {
    return this.states.get(this.find(name).name) ?? 'INSUFFICIENT_DATA';
  }

  /** Sets a state by hand, until the alarm is judged again. @throws NotFound, naming the alarms that there are */
  async set(name: string, state: AlarmState, reason: string): Promise<void> {
    await this.change(this.find(name), state, reason);
  }

  async close(): Promise<void> {
    this.ending.abort(new Error('the local cloud is closing'));
    await this.judging;
  }

  /** Judges every alarm once. */
  async judgeAll(): Promise<void> {
    for (const alarm of [...this.alarms.values()]) {
      const values = this.valuesOf(alarm);
      if (values !== null) {
        const { state, reason } = judgeAlarm(alarm, values, this.stateOf(alarm.name));
        await this.change(alarm, state, reason);
      }
    }
  }

  private async judgeAgainAndAgain(): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      await this.judgeAll();
      await this.options.clock.sleep(this.options.everyMs, signal).catch(() => undefined);
    }
  }

  /** One value for each of the last whole periods; null until the metric is old enough to have them. */
  private valuesOf(alarm: DeployedAlarm): readonly (number | null)[] | null {
    const { metrics, clock } = this.options;
    const beganAtMs = metrics.beganAtMs(alarm);
    const periodMs = alarm.periodSeconds * 1_000;
    const endMs = Math.floor(clock.nowMs() / periodMs) * periodMs;
    const startMs = endMs - alarm.evaluationPeriods * periodMs;
    if (beganAtMs === null || beganAtMs >= endMs) {
      return null;
    }
    const periods = Array.from({ length: alarm.evaluationPeriods }, (_, period) => startMs + period * periodMs);
    const evaluated = periods.filter((fromMs) => fromMs + periodMs > beganAtMs);
    return evaluated.map((fromMs) => metrics.statistic(alarm, alarm.statistic, { fromMs, toMs: fromMs + periodMs }));
  }

  private async change(alarm: DeployedAlarm, state: AlarmState, reason: string): Promise<void> {
    const before = this.stateOf(alarm.name);
    if (state === before) {
      return;
    }
    this.states.set(alarm.name, state);
    const timestamp = new Date(this.options.clock.nowMs()).toISOString();
    this.options.bus.put('default', {
      source: 'aws.cloudwatch',
      detailType: 'CloudWatch Alarm State Change',
      resources: [alarm.arn],
      detail: {
        alarmName: alarm.name,
        state: { value: state, reason, timestamp },
        previousState: { value: before },
        configuration: { description: alarm.description },
      },
    });
    if (state === 'ALARM') {
      for (const action of alarm.alarmActions) {
        await this.options.act(action, alarm, reason);
      }
    }
  }

  private find(name: string): DeployedAlarm {
    const found = this.alarms.get(name);
    if (found === undefined) {
      const others = this.names.join(', ');
      throw new RejoinError('NotFound', `there is no alarm '${name}' (there are: ${others || 'none'})`);
    }
    return found;
  }
}
