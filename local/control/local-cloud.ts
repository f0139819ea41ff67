import type { CallFigures, LocalFunctions } from '../lambdas/local-functions';
import { LocalObjects } from '../objects/local-objects';
import type { LocalRegistry } from '../registry/local-registry';
import type { DeployedApp } from '../templates/deployed-app';
import { readApp } from '../templates/read-app';
import type { LocalCloudOptions } from './cloud-options';
import { environmentOf, objectsIn, startParts, type CloudParts } from './cloud-parts';
import type { ControlLinks } from './control-links';
import type { EventBus } from './event-bus';
import type { LocalAlarms } from './local-alarms';
import type { LocalExecutions } from './local-executions';
import type { LocalMetrics } from './local-metrics';
import type { LocalNotifications } from './local-notifications';
import { RunDirectory } from './run-directory';

/** How an agent's process finds the cloud: part of its environment. */
export interface AgentIdentity {
  readonly nodeId: string;
  /** The loopback address that it calls from; null: any. */
  readonly address: string | null;
}

/**
 * The control plane of AWS on this computer, made of the deployed templates: registry, objects, functions, state machines,
 * events, schedules, alarms. Everything ends with `close`.
 */
export class LocalCloud {
  private closed: Promise<void> | null = null;
  private readonly onSignal = (signal: NodeJS.Signals): void => {
    this.options.say(`closing after ${signal}`);
    void this.close().finally(() => process.kill(process.pid, signal));
  };

  private constructor(
    private readonly options: LocalCloudOptions,
    readonly run: RunDirectory,
    readonly app: DeployedApp,
    private readonly parts: CloudParts,
  ) {
    if (options.handlesSignals !== false) {
      process.once('SIGINT', this.onSignal);
      process.once('SIGTERM', this.onSignal);
    }
  }

  /**
   * Starts everything.
   *
   * @throws InvalidInput when the templates, a function or a state machine can't be run here as they would be deployed
   * @throws ApiRefused while another run uses the directory
   */
  static async start(options: LocalCloudOptions): Promise<LocalCloud> {
    const { directory, keep } = options;
    const run = typeof directory === 'string' ? await RunDirectory.claim(directory, options.say) : directory;
    try {
      const app = await readApp(options.templates);
      return new LocalCloud(options, run, app, await startParts(options, run.path, app));
    } catch (thrown) {
      if (typeof directory === 'string') {
        await run.release({ keep });
      }
      throw thrown;
    }
  }

  get registry(): LocalRegistry {
    return this.parts.registry;
  }
  get executions(): LocalExecutions {
    return this.parts.executions;
  }
  get functions(): LocalFunctions {
    return this.parts.functions;
  }
  get events(): EventBus {
    return this.parts.bus;
  }
  get alarms(): LocalAlarms {
    return this.parts.alarms;
  }
  get metrics(): LocalMetrics {
    return this.parts.metrics;
  }
  get notifications(): LocalNotifications {
    return this.parts.notifications;
  }
  /** The network between nodes and control plane. */
  get links(): ControlLinks {
    return this.parts.links;
  }

  /** What every call of a function took so far. */
  get calls(): readonly CallFigures[] {
    return this.parts.calls;
  }

  /** The bucket that steps know by this variable. */
  bucket(variable: 'REJOIN_BACKUPS_BUCKET' | 'REJOIN_EVIDENCE_BUCKET'): LocalObjects {
    return new LocalObjects(objectsIn(this.run.path), environmentOf(this.app)[variable] ?? '');
  }

  /** The environment by which an agent's process reaches this cloud (local/adapters/ports). */
  agentEnvironment({ nodeId, address }: AgentIdentity): Readonly<Record<string, string>> {
    return {
      ...environmentOf(this.app),
      ...this.parts.environment,
      REJOIN_NODE: nodeId,
      ...(address === null ? {} : { REJOIN_ADDRESS: address }),
    };
  }

  /** Ends everything, in order; safe to call again. */
  async close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async end(): Promise<void> {
    process.off('SIGINT', this.onSignal);
    process.off('SIGTERM', this.onSignal);
    const { alarms, targets, bus, executions, functions, server, registry, files } = this.parts;
    await alarms.close();
    targets.close();
    await executions.stopAll('the local cloud is closing');
    await functions.close();
    await bus.settled();
    await this.options.closing?.();
    await server.close();
    registry.close();
    await files.close();
    await this.run.release({ keep: this.options.keep });
  }
}
