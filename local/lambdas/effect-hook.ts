import type { MethodEffect } from '../control/remote-ports';

export type EffectHook = (moment: 'before' | 'after') => void;

/** The process that runs a function and the function's bundle are two programs that share the global object only. */
const place = Symbol.for('rejoin.effect-hook');

interface Place {
  [place]?: EffectHook | null;
}

/** `hook` hears of each effect of this process; null: nobody does. */
export function hookEffects(hook: EffectHook | null): void {
  (globalThis as Place)[place] = hook;
}

/** The same port, whose changing calls are announced. */
export function announcing<T extends object>(port: T, effectOf: (method: string) => MethodEffect): T {
  return new Proxy(port, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') {
        return member;
      }
      const act = member.bind(target) as (...given: unknown[]) => Promise<unknown>;
      if (typeof name === 'symbol' || effectOf(name) === 'reads') {
        return act;
      }
      return async (...given: unknown[]) => {
        const hook = (globalThis as Place)[place] ?? null;
        hook?.('before');
        const result = await act(...given);
        hook?.('after');
        return result;
      };
    },
  });
}
