import type { ClusterSettings } from '../../core/cluster/settings';
import type { Clock, Random } from '../../core/ports/clock';
import type { Credentials } from '../../core/ports/surroundings';
import type { FunctionLimits } from '../lambdas/local-functions';
import type { RemotePorts } from './remote-ports';
import type { RunDirectory } from './run-directory';

/** What stands beside the control plane. */
export type MachinePorts = Pick<RemotePorts, 'machines' | 'managedDatabases' | 'dns' | 'prober' | 'hostCommands'>;

export interface LocalCloudOptions {
  /** `.rejoin/<run>`, or the directory that was claimed already. */
  readonly directory: string | RunDirectory;
  /** Where the CDK put what it synthesized: `cdk.out`. */
  readonly templates: string;
  readonly settings: readonly ClusterSettings[];
  /** Secret's name → what is in it; `ca`: the certificate authority of the cluster's servers, in PEM. */
  readonly secrets: Readonly<Record<string, Credentials & { readonly ca?: string }>>;
  readonly ports: MachinePorts;
  /** Whether the directory is left for people to look at. */
  readonly keep: boolean;
  /** Gets a line now and then; never on standard output by itself. */
  readonly say: (line: string) => void;
  /** @default the computer's own */
  readonly clock?: Clock;
  /** @default the computer's own */
  readonly random?: Random;
  readonly limits?: Partial<FunctionLimits>;
  /** What functions find in their environment besides: a rehearsal's own switches. @default nothing */
  readonly environment?: Readonly<Record<string, string>>;
  /** How often alarms are judged. @default 1,000 */
  readonly alarmEveryMs?: number;
  /** How long Lambda waits before it calls a function again for an event that it failed; AWS: 1 and 2 minutes. @default 1 s and 2 s */
  readonly eventRetryDelaysMs?: readonly number[];
  /** Ends what was started beside the cloud; done after its functions have ended. */
  readonly closing?: () => Promise<void>;
  /** Closes everything on SIGINT and SIGTERM, and then ends by that signal. @default true */
  readonly handlesSignals?: boolean;
}
