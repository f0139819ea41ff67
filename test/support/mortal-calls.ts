/** Thrown in place of what a killed process would have said. */
export class Killed extends Error {
  constructor(call: string) {
    super(`killed at ${call}`);
  }
}

/** Kills whoever makes the calls, at one of them: right before its effect or right after it. */
export class Death {
  private calls = 0;

  constructor(
    private readonly atCall: number,
    private readonly moment: 'before' | 'after',
    /** The only method that counts. */
    private readonly only: string | null = null,
  ) {}

  /** Whether there were enough calls for it to come. */
  get came(): boolean {
    return this.calls > this.atCall;
  }

  async around<T>(name: string, call: () => Promise<T>): Promise<T> {
    if (this.only !== null && name !== this.only) {
      return call();
    }
    const isNow = this.calls === this.atCall;
    this.calls += 1;
    if (isNow && this.moment === 'before') {
      throw new Killed(name);
    }
    const result = await call();
    if (isNow) {
      throw new Killed(name);
    }
    return result;
  }
}

/** The same object, every call of its methods under the threat of death. Listing changes nothing and is spared. */
export function mortal<T extends object>(target: T, death: Death): T {
  return new Proxy(target, {
    get: (object, name) => {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== 'function' || name === 'list') {
        return typeof value === 'function' ? (value.bind(object) as unknown) : value;
      }
      return (...given: unknown[]) =>
        death.around(String(name), async () => (await Reflect.apply(value, object, given)) as unknown);
    },
  });
}
