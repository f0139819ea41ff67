import type { ClusterSettings } from '../../core/cluster/settings';
import type { AppSettings, OptionalWorkflow } from './app-settings';

export type Cluster = Omit<ClusterSettings, 'name'>;
export type Clusters = Readonly<Record<string, Cluster>>;

/** The parts of rejoin.yaml that fit the schema: what the rules between fields look at. */
export interface CheckedParts {
  readonly clusters: Clusters;
  /** With those that do not fit; null when `clusters` itself does not. */
  readonly clusterCount: number | null;
  readonly workflows: Readonly<Record<OptionalWorkflow, boolean>>;
  /** Null when `vpc` does not fit. */
  readonly vpc: AppSettings['vpc'] | null;
  readonly nodeRole: string | undefined;
  /** Null when `zone` does not fit. */
  readonly zoneName: string | null;
}
