/** How bytes get from one member of the network to another. */
export interface Flow {
  /** `open`: they arrive. `cut`: connections are reset. `partitioned`: nothing arrives and nobody is told. */
  readonly state: 'open' | 'cut' | 'partitioned';
  readonly delayMs: number;
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
}

/** What is said about a flow; what is left out stays as it would be. */
export type FlowFault = Partial<Flow>;

export const clearFlow: Flow = { state: 'open', delayMs: 0, bytesPerSecond: null };

/** Any member, also one that nobody has named. */
export const anyMember = '*';

const severity = { open: 0, cut: 1, partitioned: 2 } as const;

/** The faults that are on, from member to member. Where several apply the worst of each kind counts. */
export class FlowTable {
  private readonly faults = new Map<string, FlowFault>();

  /** Replaces what was said about this direction; null: nothing is wrong with it. */
  set(from: string, to: string, fault: FlowFault | null): void {
    if (fault === null) {
      this.faults.delete(key(from, to));
    } else {
      this.faults.set(key(from, to), fault);
    }
  }

  get quiet(): boolean {
    return this.faults.size === 0;
  }

  /** The members that some fault names. */
  get members(): ReadonlySet<string> {
    const named = [...this.faults.keys()].flatMap((name) => name.split(arrow));
    return new Set(named.filter((member) => member !== anyMember));
  }

  /** How bytes get from `from` to `to`; null is a member that nobody has named. */
  flow(from: string | null, to: string | null): Flow {
    if (this.quiet) {
      return clearFlow;
    }
    const known = [
      [anyMember, anyMember],
      [from, anyMember],
      [anyMember, to],
      [from, to],
    ] as const;
    return known.reduce<Flow>((flow, [one, other]) => {
      const fault = one === null || other === null ? undefined : this.faults.get(key(one, other));
      return fault === undefined ? flow : worse(flow, fault);
    }, clearFlow);
  }
}

function worse(flow: Flow, fault: FlowFault): Flow {
  const { state = 'open', delayMs = 0, bytesPerSecond = null } = fault;
  return {
    state: severity[state] > severity[flow.state] ? state : flow.state,
    delayMs: Math.max(flow.delayMs, delayMs),
    bytesPerSecond: slower(flow.bytesPerSecond, bytesPerSecond),
  };
}

function slower(one: number | null, other: number | null): number | null {
  if (one === null || other === null) {
    return one ?? other;
  }
  return Math.min(one, other);
}

const arrow = ' -> ';

function key(from: string, to: string): string {
  return `${from}${arrow}${to}`;
}
