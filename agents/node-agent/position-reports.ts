import { isRejoinError } from '../../core/errors';
import {
  nextReport,
  readReportedPosition,
  writeReport,
  type ReportedPosition,
} from '../../core/node-recovery/reported-position';
import type { Clock } from '../../core/ports/clock';
import type { DatabaseAddress, DatabaseProbing, DatabaseReplication } from '../../core/ports/database-engine';
import type { Registry } from '../../core/ports/registry';

interface Ports {
  readonly clock: Clock;
  readonly registry: Pick<Registry, 'read' | 'write'>;
  readonly databases: Pick<DatabaseProbing, 'position'> & Pick<DatabaseReplication, 'confirmedPositions'>;
}

/** Tells the registry how far a node's log goes, so that the loss of a later promotion is bounded. */
export class PositionReports {
  /** What stands in the registry as far as this agent knows; undefined: it has to look. */
  private last: ReportedPosition | null | undefined;

  constructor(private readonly ports: Ports) {}

  /** One report. @throws SqlUnavailable while the node does not answer; RegistryThrottled: the last report stands */
  async report(self: DatabaseAddress): Promise<void> {
    const { clock, registry, databases } = this.ports;
    const atMs = clock.nowMs();
    const position = await databases.position(self);
    const confirmed = await databases.confirmedPositions(self);
    const before = await this.before(self);
    const report = nextReport(before, { nodeId: self.nodeId, position, atMs, confirmed });
    if (report === null) {
      return;
    }
    // Until it is known that the write happened, what stands there is not known.
    this.last = undefined;
    try {
      await writeReport(registry, self.cluster, before, report);
      this.last = report;
    } catch (thrown) {
      // Another agent of the node has written: the next report goes on from there.
      if (!isRejoinError(thrown, 'ConditionFailed')) {
        throw thrown;
      }
    }
  }

  private async before(self: DatabaseAddress): Promise<ReportedPosition | null> {
    return this.last === undefined || (this.last !== null && this.last.nodeId !== self.nodeId)
      ? readReportedPosition(this.ports.registry, self.cluster, self.nodeId)
      : this.last;
  }
}
