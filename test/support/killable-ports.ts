import { Killed } from './mortal-calls';

/** Where a step is killed: before its first effect, or after an effect of this port, before it can go on. */
export interface Kill {
  readonly port: string;
  readonly method: string;
  /** The how manieth call, from 1. */
  readonly call: number;
  readonly when: 'before' | 'after';
}

/** One call of a step's function. Once its process is gone, nothing that it still does has an effect. */
export interface Invocation {
  /** From 1, over all executions of a world. */
  readonly number: number;
  readonly state: string;
  /** What the state gave the function. */
  readonly event: unknown;
  /** When the function's time is over. */
  readonly endsAtMs: number;
  dead: boolean;
}

/** One call of a port's method by a step. */
export interface PortCall {
  readonly port: string;
  readonly method: string;
  readonly invocation: Invocation;
}

/** Ports whose calls are counted, and at one of which a step may die: its effect has happened or not, and nobody hears of it. */
export class KillablePorts {
  readonly kills: Kill[] = [];
  /** Called before each call: `databases.openShard`. */
  onCall: (call: string) => void = () => undefined;
  /** Stands around each effect: may delay it, fail in its place, or kill the process that asked for it. */
  around: (call: PortCall, effect: () => Promise<unknown>) => Promise<unknown> = (_call, effect) => effect();
  private readonly calls = new Map<string, number>();

  /** How often each method of a port was called. */
  get counts(): ReadonlyMap<string, number> {
    return this.calls;
  }

  wrap<Port extends object>(portName: string, port: Port, invocation: Invocation): Port {
    return new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== 'function' || typeof property !== 'string') {
          return value;
        }
        const method = value.bind(target) as (...given: unknown[]) => unknown;
        // An iterator, which is no promise.
        return property === 'list' && portName === 'backups'
          ? method
          : (...given: unknown[]) =>
              this.call({ port: portName, method: property, invocation }, async () => method(...given));
      },
    });
  }

  private async call(call: PortCall, effect: () => Promise<unknown>): Promise<unknown> {
    const name = `${call.port}.${call.method}`;
    if (call.invocation.dead) {
      throw new Killed(`${name}, after its process had ended`);
    }
    const count = (this.calls.get(name) ?? 0) + 1;
    this.calls.set(name, count);
    const kill = this.kills.find((each) => `${each.port}.${each.method}` === name && each.call === count);
    this.onCall(name);
    if (kill?.when === 'before') {
      call.invocation.dead = true;
      throw new Killed(`${name} #${count}, before it`);
    }
    const result = await this.around(call, effect);
    if (kill?.when === 'after') {
      call.invocation.dead = true;
      throw new Killed(`${name} #${count}, after it`);
    }
    return result;
  }
}
