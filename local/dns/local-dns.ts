import type { Clock } from '../../core/ports/clock';
import type { Dns, DnsChange, DnsRecord } from '../../core/ports/surroundings';
import { RejoinError } from '../../core/errors';
import { applyBatch, emptyZone, recordAt, type Zone } from './zone';

export interface LocalDnsOptions {
  readonly clock: Clock;
  /** The zone's name. */
  readonly zone: string;
  /** How long a change takes until the name server answers with it. @default 0 */
  readonly pendingMs?: number;
}

/**
 * Route 53 on this computer. What is read here is what was changed last; `published` is what name servers answer with,
 * which is older by `pendingMs`.
 */
export class LocalDns implements Dns {
  /** One entry a batch, in order; entry 0 is the empty zone. */
  private readonly versions: { readonly zone: Zone; readonly publishedAtMs: number }[];

  constructor(private readonly options: LocalDnsOptions) {
    this.versions = [{ zone: emptyZone(options.zone), publishedAtMs: Number.NEGATIVE_INFINITY }];
  }

  async change(changes: readonly DnsChange[]): Promise<{ readonly changeId: string }> {
    const zone = applyBatch(this.newest, changes);
    this.versions.push({ zone, publishedAtMs: this.options.clock.nowMs() + (this.options.pendingMs ?? 0) });
    return { changeId: `change-${this.versions.length - 1}` };
  }

  async changeState(changeId: string): Promise<'pending' | 'in sync'> {
    const version = this.versions[Number(/^change-([1-9]\d*)$/.exec(changeId)?.[1] ?? 'NaN')];
    if (version === undefined) {
      throw new RejoinError('NotFound', `there is no change '${changeId}' of zone '${this.options.zone}'`);
    }
    return version.publishedAtMs <= this.options.clock.nowMs() ? 'in sync' : 'pending';
  }

  async read(name: string, type: DnsRecord['type']): Promise<DnsRecord | null> {
    return recordAt(this.newest, name, type);
  }

  /** What name servers answer with now. */
  readonly published = (): Zone => {
    const nowMs = this.options.clock.nowMs();
    return this.versions.findLast(({ publishedAtMs }) => publishedAtMs <= nowMs)?.zone ?? emptyZone(this.options.zone);
  };

  private get newest(): Zone {
    return this.versions.at(-1)?.zone ?? emptyZone(this.options.zone);
  }
}
