import type { StateFailure } from '../failure';
import { endedOf, inputOf, outputOf } from '../history';
import type { Payload } from '../payload';
import type { TaskResource } from '../task-resource';
import type { Thread } from './thread';

/** Records a task's events: LambdaFunction… for a bare function ARN, Task… for a service integration. */
export class TaskEvents {
  readonly #thread: Thread;
  readonly #resource: TaskResource;
  #submitted = false;

  constructor(thread: Thread, resource: TaskResource) {
    this.#thread = thread;
    this.#resource = resource;
  }

  scheduled(args: Payload, timeoutSeconds: number | null, heartbeatSeconds: number | null): void {
    const timeout = timeoutSeconds === null ? {} : { timeoutInSeconds: timeoutSeconds };
    if (this.#resource.kind === 'function') {
      this.#thread.record('LambdaFunctionScheduled', {
        lambdaFunctionScheduledEventDetails: { resource: this.#resource.arn, ...inputOf(args.text), ...timeout },
      });
      this.#thread.record('LambdaFunctionStarted');
      return;
    }
    const region = this.#thread.run.machine.arn.split(':')[3] ?? '';
    const heartbeat = heartbeatSeconds === null ? {} : { heartbeatInSeconds: heartbeatSeconds };
    this.#thread.record('TaskScheduled', {
      taskScheduledEventDetails: { ...this.#names(), region, parameters: args.text, ...timeout, ...heartbeat },
    });
    this.#thread.record('TaskStarted', { taskStartedEventDetails: this.#names() });
  }

  submitted(answer: Payload): void {
    if (!this.#submitted) {
      this.#submitted = true;
      this.#thread.record('TaskSubmitted', {
        taskSubmittedEventDetails: { ...this.#names(), ...outputOf(answer.text) },
      });
    }
  }

  succeeded(output: Payload): void {
    if (this.#resource.kind === 'function') {
      this.#thread.record('LambdaFunctionSucceeded', { lambdaFunctionSucceededEventDetails: outputOf(output.text) });
    } else {
      this.#thread.record('TaskSucceeded', {
        taskSucceededEventDetails: { ...this.#names(), ...outputOf(output.text) },
      });
    }
  }

  failed(failure: StateFailure): void {
    const ended = endedOf(failure.error, failure.causeText);
    const timedOut = failure.error === 'States.Timeout' && failure.causeText === null;
    if (this.#resource.kind === 'function') {
      this.#thread.record(
        timedOut ? 'LambdaFunctionTimedOut' : 'LambdaFunctionFailed',
        timedOut ? { lambdaFunctionTimedOutEventDetails: ended } : { lambdaFunctionFailedEventDetails: ended },
      );
      return;
    }
    const details = { ...this.#names(), ...ended };
    this.#thread.record(
      timedOut ? 'TaskTimedOut' : 'TaskFailed',
      timedOut ? { taskTimedOutEventDetails: details } : { taskFailedEventDetails: details },
    );
  }

  #names(): { readonly resourceType: string; readonly resource: string } {
    return { resourceType: this.#resource.resourceType, resource: this.#resource.resource };
  }
}
