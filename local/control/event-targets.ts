import { messageOf, RejoinError } from '../../core/errors';
import type { Json } from '../../core/json';
import type { Clock } from '../../core/ports/clock';
import type { Notifications } from '../../core/ports/surroundings';
import type { LocalFunctions } from '../lambdas/local-functions';
import type { LocalExecutions } from './local-executions';
import { functionNameOf } from './service-tasks';

export interface EventTargetsOptions {
  readonly functions: LocalFunctions;
  readonly executions: LocalExecutions;
  readonly notifications: Notifications;
  readonly clock: Clock;
  /** How long a failed call of a function waits before it is tried again, each time. */
  readonly retryDelaysMs: readonly number[];
}

/** What rules and alarms can start: a function, a state machine, or a message to people. */
export class EventTargets {
  private readonly ending = new AbortController();

  constructor(private readonly options: EventTargetsOptions) {}

  /** Tries nothing again from now on. */
  close(): void {
    this.ending.abort(new Error('the local cloud is closing'));
  }

  /** @throws what the target ended with; InvalidInput for a target that is none of these */
  async deliver(arn: string, input: Json, event: { readonly id: string }): Promise<void> {
    const service = arn.split(':')[2];
    if (service === 'lambda') {
      await this.call(functionNameOf(arn), input);
    } else if (service === 'states') {
      // EventBridge names an execution by the event, so that one that is delivered twice starts one.
      this.options.executions.startByArn(arn, event.id, input);
    } else if (service === 'sns') {
      const body = typeof input === 'string' ? input : JSON.stringify(input);
      await this.options.notifications.publish({ subject: event.id, body });
    } else {
      throw new RejoinError(
        'InvalidInput',
        `the local cloud has no target ${arn}; functions, state machines and topics are known`,
      );
    }
  }

  /** As Lambda does with an event: again after a while, and then no more. */
  private async call(name: string, input: Json): Promise<void> {
    const { functions, clock, retryDelaysMs } = this.options;
    for (const delayMs of retryDelaysMs) {
      try {
        await functions.invoke(name, input);
        return;
      } catch {
        await clock.sleep(delayMs, this.ending.signal);
      }
    }
    try {
      await functions.invoke(name, input);
    } catch (thrown) {
      throw new RejoinError(
        'ApiRefused',
        `function '${name}' failed ${retryDelaysMs.length + 1} times: ${messageOf(thrown)}`,
        {
          cause: thrown,
        },
      );
    }
  }
}
