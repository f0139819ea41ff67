import { Killed } from './mortal-calls';

/** Where a step is killed: before its first effect, or after an effect of this port, before it can go on. */
export interface Kill {
  readonly port: string;
  readonly method: string;
  /** The how manieth call, from 1. */
  readonly call: number;
  readonly when: 'before' | 'after';
}

/** Ports whose calls are counted, and at one of which a step may die: its effect has happened or not, and nobody hears of it. */
export class KillablePorts {
  readonly kills: Kill[] = [];
  /** Called before each call: `databases.openShard`. */
  onCall: (call: string) => void = () => undefined;
  private readonly calls = new Map<string, number>();

  /** How often each method of a port was called. */
  get counts(): ReadonlyMap<string, number> {
    return this.calls;
  }

  wrap<Port extends object>(portName: string, port: Port): Port {
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
          : (...given: unknown[]) => this.call(`${portName}.${property}`, () => method(...given));
      },
    });
  }

  private async call(name: string, method: () => unknown): Promise<unknown> {
    const count = (this.calls.get(name) ?? 0) + 1;
    this.calls.set(name, count);
    const kill = this.kills.find(({ port, method: its, call }) => `${port}.${its}` === name && call === count);
    this.onCall(name);
    if (kill?.when === 'before') {
      throw new Killed(`${name} #${count}, before it`);
    }
    const result = await method();
    if (kill?.when === 'after') {
      throw new Killed(`${name} #${count}, after it`);
    }
    return result;
  }
}
