import type { PermissionList } from '../../core/permissions/permission';
import { arnOf, throughService } from '../../core/permissions/permission';

/** Starts executions of these workflows and of no other. */
export function executionsStart(...workflows: readonly string[]): PermissionList {
  return [
    {
      sid: 'StartExecutions',
      actions: ['states:StartExecution'],
      resources: (names) => workflows.map((workflow) => arnOf(names, 'states', `stateMachine:rejoin-${workflow}`)),
    },
  ];
}

/** Reads the executions of these workflows: status, history, which ones are running. */
export function executionsRead(...workflows: readonly string[]): PermissionList {
  return [
    {
      sid: 'ListExecutions',
      actions: ['states:ListExecutions'],
      resources: (names) => workflows.map((workflow) => arnOf(names, 'states', `stateMachine:rejoin-${workflow}`)),
    },
    {
      sid: 'ReadExecutions',
      actions: ['states:DescribeExecution', 'states:GetExecutionHistory'],
      resources: (names) => workflows.map((workflow) => arnOf(names, 'states', `execution:rejoin-${workflow}:*`)),
      wildcardReason: 'executions are named when they start; the workflow is the bound',
    },
    {
      sid: 'DecryptExecutions',
      actions: ['kms:Decrypt'],
      resources: (names) => [names.keyArn],
      conditions: throughService('states'),
    },
  ];
}
