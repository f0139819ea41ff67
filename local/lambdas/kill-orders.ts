import type { Json } from '../../core/json';
import type { KillMoment } from './runner-protocol';

/** Which call an order is for; what is left out is any. */
export interface CallMatch {
  readonly functionName?: string;
  /** The state that makes the call, by its name. */
  readonly state?: string;
}

/** The calls whose process is to be killed, one order a call. */
export class KillOrders {
  private readonly orders: { readonly match: CallMatch; readonly moment: KillMoment }[] = [];

  /** The next call that matches, and that no earlier order is for, is killed at that moment. */
  killNext(match: CallMatch, moment: KillMoment): void {
    this.orders.push({ match, moment });
  }

  /** The calls that orders still wait for. */
  get waiting(): readonly CallMatch[] {
    return this.orders.map(({ match }) => match);
  }

  take(functionName: string, event: Json): KillMoment | null {
    const at = this.orders.findIndex(
      ({ match }) =>
        (match.functionName === undefined || match.functionName === functionName) &&
        (match.state === undefined || match.state === stateOf(event)),
    );
    return at === -1 ? null : (this.orders.splice(at, 1)[0]?.moment ?? null);
  }
}

/** Every state says which one it is (see StepEvent). */
function stateOf(event: Json): string | null {
  const state = (event as { readonly run?: { readonly state?: unknown } } | null)?.run?.state;
  return typeof state === 'string' ? state : null;
}
