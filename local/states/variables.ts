import type { Json } from '../../core/json';
import { StateFailure } from './failure';
import type { Payload } from './payload';
import { payloadLimitBytes } from './payload';

/** Step Functions' bound on all variables of one execution together. */
const allVariablesLimitBytes = 10 * 1024 * 1024;

/** What all scopes of an execution hold together. */
export class VariableBudget {
  usedBytes = 0;
}

/** The variables of a machine's top level, a branch or an iteration. Inner scopes read outer ones and never write them. */
export class Variables {
  readonly #own = new Map<string, Payload>();
  readonly #outer: Variables | null;
  readonly #budget: VariableBudget;
  #visible: Readonly<Record<string, Json>> | null = null;

  constructor(budget: VariableBudget, outer: Variables | null = null) {
    this.#budget = budget;
    this.#outer = outer;
  }

  inner(): Variables {
    return new Variables(this.#budget, this);
  }

  /** All that an expression in this scope can name. Outer scopes stand still while inner ones run. */
  get visible(): Readonly<Record<string, Json>> {
    this.#visible ??= {
      ...this.#outer?.visible,
      ...Object.fromEntries([...this.#own].map(([name, payload]) => [name, payload.value])),
    };
    return this.#visible;
  }

  /**
   * Sets the variables of one Assign, all or none.
   *
   * @throws StateFailure States.DataLimitExceeded past 256 KiB in one Assign, or 10 MiB in all
   */
  assign(values: ReadonlyMap<string, Payload>, stateName: string): void {
    let growthBytes = 0;
    let assignedBytes = 0;
    for (const [name, payload] of values) {
      const sizeBytes = Buffer.byteLength(payload.text);
      assignedBytes += sizeBytes;
      growthBytes += sizeBytes - sizeOf(this.#own.get(name));
      if (payload.tooLarge) {
        throw tooMuch(`The variable '${name}' assigned in the state '${stateName}' exceeds 262144 bytes.`);
      }
    }
    if (assignedBytes > payloadLimitBytes) {
      throw tooMuch(`The variables assigned in the state '${stateName}' exceed 262144 bytes together.`);
    }
    if (this.#budget.usedBytes + growthBytes > allVariablesLimitBytes) {
      throw tooMuch(
        `The variables of the execution exceed ${allVariablesLimitBytes} bytes with those of the state '${stateName}'.`,
      );
    }
    this.#budget.usedBytes += growthBytes;
    for (const [name, payload] of values) {
      this.#own.set(name, payload);
    }
    this.#visible = null;
  }

  /** Gives back what a finished branch or iteration held. */
  release(): void {
    for (const payload of this.#own.values()) {
      this.#budget.usedBytes -= sizeOf(payload);
    }
    this.#own.clear();
    this.#visible = null;
  }
}

const sizeOf = (payload: Payload | undefined): number => (payload === undefined ? 0 : Buffer.byteLength(payload.text));

const tooMuch = (cause: string): StateFailure => new StateFailure('States.DataLimitExceeded', cause);
