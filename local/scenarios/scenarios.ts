import { nodeRecovery } from './node-recovery';
import type { Scenario } from './scenario';

/** Every rehearsal, the main one first. */
export const scenarios: readonly Scenario[] = [nodeRecovery];
