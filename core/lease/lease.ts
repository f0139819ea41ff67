import * as z from 'zod';
import { isRejoinError, RejoinError } from '../errors';
import type { Run } from '../ledger/run-ledger';
import type { Clock } from '../ports/clock';
import type { Registry } from '../ports/registry';

const leaseSchema = z.strictObject({
  cluster: z.string(),
  /** '' is the cluster's own lease; others, such as `capture`, allow work beside it. */
  name: z.string(),
  /** The execution that holds it, as `holderOf` names it. */
  holder: z.string(),
  epoch: z.number().int(),
  expiresAtMs: z.number(),
});

/** The right of one execution to change one cluster, held with an epoch. */
export type Lease = z.infer<typeof leaseSchema>;
export { leaseSchema };

export interface LeaseOrder {
  readonly cluster: string;
  readonly name: string;
  readonly holder: string;
  readonly durationMs: number;
}

/** Who holds an execution's leases. Executions of two machines that were started in the same minute have the same name. */
export function holderOf({ machine, execution }: Run): string {
  return `${machine}/${execution}`;
}

/** Takes, keeps and gives back leases, by conditional writes on `CLUSTER#c / LEASE[#name]` and the epoch in `/ META`. */
export class Leases {
  constructor(
    private readonly registry: Registry,
    private readonly clock: Clock,
  ) {}

  /**
   * Takes the lease with an epoch greater than every earlier one. The holder of a lease takes it again with the same
   * epoch, so that a repeated step finds what it took.
   *
   * @throws LeaseHeld while another holder's lease has not run out
   * @throws NotFound when the cluster is not in the registry
   */
  async take(order: LeaseOrder): Promise<Lease> {
    const held = await this.read(order.cluster, order.name);
    const nowMs = this.clock.nowMs();
    if (held !== null && held.holder !== order.holder && held.expiresAtMs > nowMs) {
      throw new RejoinError(
        'LeaseHeld',
        `'${held.holder}' holds the ${describe(order)} for ${Math.ceil((held.expiresAtMs - nowMs) / 1000)} s more; wait for it or stop that execution`,
      );
    }
    if (held !== null && held.holder === order.holder && held.expiresAtMs > nowMs) {
      return this.renew(held, order.durationMs);
    }
    const metaKey = { pk: partition(order.cluster), sk: 'META' };
    const meta = await this.registry.read(metaKey);
    const epoch = z.object({ epoch: z.number().int() }).safeParse(meta);
    if (meta === null || !epoch.success) {
      throw new RejoinError(
        'NotFound',
        `cluster '${order.cluster}' is not in the registry; check 'cluster' in the execution input`,
      );
    }
    const lease: Lease = {
      cluster: order.cluster,
      name: order.name,
      holder: order.holder,
      epoch: epoch.data.epoch + 1,
      expiresAtMs: nowMs + order.durationMs,
    };
    try {
      await this.registry.write([
        {
          kind: 'put',
          key: metaKey,
          value: { ...meta, epoch: lease.epoch },
          when: { equals: { epoch: epoch.data.epoch } },
        },
        {
          kind: 'put',
          key: leaseKey(lease),
          value: lease,
          when:
            held === null
              ? 'absent'
              : { equals: { holder: held.holder, epoch: held.epoch, expiresAtMs: held.expiresAtMs } },
        },
      ]);
    } catch (thrown) {
      if (isRejoinError(thrown, 'ConditionFailed')) {
        throw new RejoinError('LeaseHeld', `another execution took the ${describe(order)} at the same moment`, {
          cause: thrown,
        });
      }
      throw thrown;
    }
    return lease;
  }

  /** Holds the lease for `durationMs` from now. @throws LeaseLost */
  async renew(lease: Lease, durationMs: number): Promise<Lease> {
    const renewed: Lease = { ...lease, expiresAtMs: Math.max(lease.expiresAtMs, this.clock.nowMs() + durationMs) };
    try {
      await this.registry.write([
        {
          kind: 'put',
          key: leaseKey(lease),
          value: renewed,
          when: { equals: { holder: lease.holder, epoch: lease.epoch } },
        },
      ]);
    } catch (thrown) {
      if (isRejoinError(thrown, 'ConditionFailed')) {
        throw this.lost(lease, thrown);
      }
      throw thrown;
    }
    return renewed;
  }

  /** @throws LeaseLost when it ran out or another execution took it */
  async check(lease: Lease): Promise<void> {
    const held = await this.read(lease.cluster, lease.name);
    if (held?.holder !== lease.holder || held.epoch !== lease.epoch || held.expiresAtMs <= this.clock.nowMs()) {
      throw this.lost(lease, undefined);
    }
  }

  /** Gives the lease back. One that is no longer ours is left alone. */
  async release(lease: Lease): Promise<void> {
    try {
      await this.registry.write([
        { kind: 'remove', key: leaseKey(lease), when: { equals: { holder: lease.holder, epoch: lease.epoch } } },
      ]);
    } catch (thrown) {
      if (!isRejoinError(thrown, 'ConditionFailed')) {
        throw thrown;
      }
    }
  }

  /** Who holds it now, run out or not; null when nobody does. */
  async read(cluster: string, name: string): Promise<Lease | null> {
    const value = await this.registry.read(leaseKey({ cluster, name }));
    return value === null ? null : leaseSchema.parse(value);
  }

  private lost(lease: Lease, cause: unknown): RejoinError {
    return new RejoinError(
      'LeaseLost',
      `'${lease.holder}' no longer holds the ${describe(lease)} at epoch ${lease.epoch}; another execution may have gone on, so this one stops`,
      { cause },
    );
  }
}

function partition(cluster: string): string {
  return `CLUSTER#${cluster}`;
}

function leaseKey(lease: { cluster: string; name: string }): { pk: string; sk: string } {
  return { pk: partition(lease.cluster), sk: lease.name === '' ? 'LEASE' : `LEASE#${lease.name}` };
}

function describe(lease: { cluster: string; name: string }): string {
  return lease.name === ''
    ? `lease of cluster '${lease.cluster}'`
    : `lease '${lease.name}' of cluster '${lease.cluster}'`;
}
