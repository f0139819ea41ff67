import type { ManagedState } from '../../core/ports/managed-databases';

/** RDS's statuses in which an instance serves while something is done to it. */
const serving = new Set([
  'available',
  'backing-up',
  'configuring-enhanced-monitoring',
  'configuring-iam-database-auth',
  'configuring-log-exports',
  'modifying',
  'storage-config-upgrade',
  'storage-initialization',
  'storage-optimization',
]);

const plain: ReadonlySet<string> = new Set<ManagedState>([
  'creating',
  'stopping',
  'stopped',
  'rebooting',
  'failed',
  'deleting',
]);

/** What RDS says of an instance that won't come back by itself. */
const broken = /^(incompatible-|inaccessible-|insufficient-capacity|restore-error|storage-full|delete-precheck-failed)/;

/**
 * RDS's status in our words. One that is not known here counts as `rebooting`, which proves neither that an instance
 * serves nor that it has stopped.
 */
export function managedStateOf(status: string): ManagedState {
  if (plain.has(status)) {
    return status as ManagedState;
  }
  if (serving.has(status)) {
    return 'available';
  }
  if (status === 'starting') {
    return 'creating';
  }
  return broken.test(status) ? 'failed' : 'rebooting';
}
