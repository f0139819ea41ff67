import { detailOf, eventSource } from '../../core/events/event-envelope';
import { messageOf, RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';
import type { Clock, Random } from '../../core/ports/clock';
import type { DomainEvent, Events } from '../../core/ports/surroundings';
import { randomUuid } from '../states/random-uuid';
import type { DeployedRule } from '../templates/deployed-app';
import { localAccount, localRegion } from '../templates/physical-names';
import { targetInput } from '../templates/target-input';
import type { RecordFile } from './record-file';

/** An event as a service puts it on a bus. */
export interface PutEvent {
  readonly source: string;
  readonly detailType: string;
  readonly resources?: readonly string[];
  readonly detail: JsonObject;
}

export interface EventBusOptions {
  readonly rules: readonly DeployedRule[];
  /** The bus of our own events; what AWS says goes to `default`. */
  readonly ownBus: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly record: RecordFile | null;
  /** Starts a target; what it throws is recorded. */
  deliver(targetArn: string, input: Json, event: { readonly id: string }): Promise<void>;
}

/** The event buses, with the rules of the templates: each event starts the targets of every rule that matches it. */
export class EventBus implements Events {
  private readonly underWay = new Set<Promise<void>>();
  private toLose = 0;
  private toRepeat = 0;

  constructor(private readonly options: EventBusOptions) {}

  /** Every schedule that is deployed. */
  get schedules(): readonly DeployedRule[] {
    return this.options.rules.filter(({ schedule }) => schedule !== null);
  }

  /** The next events reach nobody. */
  loseNext(events: number): void {
    this.toLose += events;
  }

  /** The next events are delivered twice, as EventBridge may do. */
  repeatNext(events: number): void {
    this.toRepeat += events;
  }

  async publish(event: DomainEvent): Promise<void> {
    this.put(this.options.ownBus, { source: eventSource, detailType: event.type, detail: detailOf(event) });
  }

  /** Puts an event on a bus. Targets start by themselves. */
  put(bus: string, event: PutEvent): void {
    const envelope = this.envelope(event);
    const rules = this.options.rules.filter(
      (rule) => rule.enabled && rule.bus === bus && rule.pattern?.matches(envelope) === true,
    );
    this.options.record?.add({ bus, event: envelope, rules: rules.map(({ name }) => name) });
    if (this.toLose > 0) {
      this.toLose--;
      return;
    }
    for (let copies = this.toRepeat > 0 ? 2 : 1; copies > 0; copies--) {
      rules.forEach((rule) => {
        this.start(rule, envelope);
      });
    }
    this.toRepeat = Math.max(0, this.toRepeat - 1);
  }

  /**
   * Does what a schedule does when its time has come.
   *
   * @param which its name or its description
   * @throws NotFound, naming the schedules that there are
   */
  fireSchedule(which: string): void {
    const rule = this.schedules.find(({ name, description }) => name === which || description === which);
    if (rule === undefined) {
      const others = this.schedules.map(({ name, description }) => `'${description ?? name}'`).join(', ');
      throw new RejoinError('NotFound', `there is no schedule '${which}' (there are: ${others || 'none'})`);
    }
    const event = { source: 'aws.events', detailType: 'Scheduled Event', resources: [rule.arn], detail: {} };
    const envelope = this.envelope(event);
    this.options.record?.add({ bus: rule.bus, event: envelope, rules: [rule.name] });
    this.start(rule, envelope);
  }

  /** Resolves when every target that was started has ended. */
  async settled(): Promise<void> {
    while (this.underWay.size > 0) {
      await Promise.all(this.underWay);
    }
  }

  private envelope({ source, detailType, resources, detail }: PutEvent): JsonObject & { readonly id: string } {
    return {
      version: '0',
      id: randomUuid(this.options.random),
      'detail-type': detailType,
      source,
      account: localAccount,
      time: new Date(this.options.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z'),
      region: localRegion,
      resources: resources ?? [],
      detail,
    };
  }

  private start(rule: DeployedRule, event: JsonObject & { readonly id: string }): void {
    for (const target of rule.targets) {
      const work = this.deliver(rule, target, event).finally(() => this.underWay.delete(work));
      this.underWay.add(work);
    }
  }

  private async deliver(
    rule: DeployedRule,
    target: DeployedRule['targets'][number],
    event: JsonObject & { readonly id: string },
  ): Promise<void> {
    try {
      await this.options.deliver(target.arn, targetInput(target.input, event, rule), event);
    } catch (thrown) {
      this.options.record?.add({ failed: target.arn, rule: rule.name, eventId: event.id, reason: messageOf(thrown) });
    }
  }
}
