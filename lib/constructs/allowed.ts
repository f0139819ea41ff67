import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Permission, PermissionList, ResourceNames } from '../../core/permissions/permission';

/** A resource with a `*` that may be used, and why. */
export interface Wildcard {
  readonly resource: string;
  readonly reason: string;
}

export interface Allowed {
  readonly statements: readonly PolicyStatement[];
  readonly wildcards: readonly Wildcard[];
}

/**
 * Permissions as IAM statements. A list that is named twice counts once; what names no resource is left out.
 *
 * @throws Error for a resource with a `*` and no reason, or a reason and no `*`
 */
export function allowed(lists: readonly PermissionList[], names: ResourceNames): Allowed {
  const permissions = [...new Set(lists.flat())].filter((permission) => permission.resources(names).length > 0);
  return {
    statements: permissions.map((permission) => statement(permission, names)),
    wildcards: permissions.flatMap((permission) => wildcards(permission, names)),
  };
}

function statement(permission: Permission, names: ResourceNames): PolicyStatement {
  return new PolicyStatement({
    sid: permission.sid,
    effect: Effect.ALLOW,
    actions: [...permission.actions],
    resources: [...permission.resources(names)],
    conditions: permission.conditions?.(names) ?? {},
  });
}

function wildcards({ sid, resources, wildcardReason }: Permission, names: ResourceNames): Wildcard[] {
  const found = resources(names).filter((resource) => resource.includes('*'));
  if (found.length > 0 !== (wildcardReason !== undefined)) {
    throw new Error(`permission '${sid}' needs a wildcardReason exactly when a resource has a '*'`);
  }
  return found.map((resource) => ({ resource, reason: wildcardReason ?? '' }));
}
