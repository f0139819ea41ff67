import * as z from 'zod';
import { RejoinError } from '../../core/errors';
import { entryFile, entryMetadata } from '../../lib/constructs/bundling';
import {
  comparisons,
  missingDataTreatments,
  statistics,
  type DeployedAlarm,
  type DeployedApp,
  type DeployedFunction,
  type DeployedMachine,
  type DeployedRule,
} from './deployed-app';
import { EventPattern } from './event-pattern';
import { readAssembly, type StackTemplate, type TemplateResource } from './read-assembly';
import { Resolver } from './resolver';
import type { TargetInput } from './target-input';

/** One resource with its place; `read` checks its resolved properties. */
interface Found {
  readonly stack: StackTemplate;
  readonly logicalId: string;
  readonly resource: TemplateResource;
  readonly name: string;
  readonly arn: string;
}

/** Lambda's own defaults. */
const defaultTimeoutSeconds = 3;
const defaultMemoryMiB = 128;

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const jsonObject = z.record(z.string(), z.json());

const functionSchema = z.object({
  Environment: z.object({ Variables: z.record(z.string(), scalar).default({}) }).optional(),
  Timeout: z.coerce.number().default(defaultTimeoutSeconds),
  MemorySize: z.coerce.number().default(defaultMemoryMiB),
});

const machineSchema = z.object({
  StateMachineType: z.enum(['STANDARD', 'EXPRESS']).default('STANDARD'),
  DefinitionString: z.string().optional(),
  Definition: jsonObject.optional(),
  DefinitionSubstitutions: z.record(z.string(), scalar).default({}),
});

const ruleSchema = z.object({
  Description: z.string().optional(),
  EventBusName: z.string().default('default'),
  EventPattern: jsonObject.optional(),
  ScheduleExpression: z.string().optional(),
  State: z.string().default('ENABLED'),
  Targets: z
    .array(
      z.object({
        Arn: z.string(),
        Input: z.string().optional(),
        InputPath: z.string().optional(),
        InputTransformer: z
          .object({ InputPathsMap: z.record(z.string(), z.string()).default({}), InputTemplate: z.string() })
          .optional(),
      }),
    )
    .default([]),
});

// Strict: an alarm that is evaluated in another way than it says would be worse than none.
const alarmSchema = z.strictObject({
  AlarmName: z.string().optional(),
  AlarmDescription: z.string().optional(),
  ActionsEnabled: z.boolean().default(true),
  AlarmActions: z.array(z.string()).default([]),
  InsufficientDataActions: z.array(z.string()).max(0).optional(),
  OKActions: z.array(z.string()).max(0).optional(),
  Tags: z.array(z.json()).optional(),
  ComparisonOperator: z.enum(comparisons),
  DatapointsToAlarm: z.number().optional(),
  Dimensions: z.array(z.object({ Name: z.string(), Value: scalar })).default([]),
  EvaluationPeriods: z.number(),
  MetricName: z.string(),
  Namespace: z.string(),
  Period: z.number(),
  Statistic: z.enum(statistics),
  Threshold: z.number(),
  TreatMissingData: z.enum(missingDataTreatments).default('missing'),
});

/**
 * Reads what the CDK synthesized into `folder` and resolves it for the local cloud.
 *
 * @throws InvalidInput, naming stack and resource, for anything that can't be run here as it would be deployed
 * @throws NotFound when nothing is synthesized there
 */
export async function readApp(folder: string): Promise<DeployedApp> {
  const stacks = await readAssembly(folder);
  const resolver = new Resolver(stacks);
  const all = (type: string): readonly Found[] => find(stacks, resolver, type);
  return {
    functions: all('AWS::Lambda::Function').flatMap((found) => readFunction(resolver, found)),
    machines: all('AWS::StepFunctions::StateMachine').map((found) => readMachine(resolver, found)),
    rules: all('AWS::Events::Rule').map((found) => readRule(resolver, found)),
    alarms: all('AWS::CloudWatch::Alarm').map((found) => readAlarm(resolver, found)),
    buckets: all('AWS::S3::Bucket').map(({ name }) => name),
  };
}

function find(stacks: readonly StackTemplate[], resolver: Resolver, type: string): readonly Found[] {
  return stacks.flatMap((stack) =>
    [...stack.resources]
      .filter(([, resource]) => resource.type === type)
      .map(([logicalId, resource]) => {
        const { name, attributes } = resolver.physical(stack, logicalId);
        return { stack, logicalId, resource, name, arn: attributes['Arn'] ?? '' };
      }),
  );
}

/** Functions that say their entry are ours; the CDK's own helpers of a deployment don't run here. */
function readFunction(resolver: Resolver, found: Found): readonly DeployedFunction[] {
  const entry = found.resource.metadata[entryMetadata];
  if (typeof entry !== 'string') {
    return [];
  }
  const { Environment, Timeout, MemorySize } = read(resolver, found, functionSchema);
  return [
    {
      name: found.name,
      arn: found.arn,
      // A file, or its short name under lambdas/.
      entryFile: entry.endsWith('.ts') ? entry : entryFile(entry),
      environment: Environment?.Variables ?? {},
      timeoutMs: Timeout * 1_000,
      memoryMiB: MemorySize,
    },
  ];
}

function readMachine(resolver: Resolver, found: Found): DeployedMachine {
  const machine = read(resolver, found, machineSchema);
  const text = machine.DefinitionString ?? JSON.stringify(machine.Definition ?? null);
  const substituted = text.replaceAll(/\$\{([^}]+)\}/g, (whole, name: string) => {
    const value = machine.DefinitionSubstitutions[name];
    // Inside a JSON text.
    return value === undefined ? whole : JSON.stringify(value).slice(1, -1);
  });
  try {
    const definition = jsonObject.parse(JSON.parse(substituted));
    return { name: found.name, arn: found.arn, type: machine.StateMachineType, definition };
  } catch (thrown) {
    throw problem(found, 'has a definition that is no JSON object', thrown);
  }
}

function readRule(resolver: Resolver, found: Found): DeployedRule {
  const rule = read(resolver, found, ruleSchema);
  return {
    name: found.name,
    arn: found.arn,
    description: rule.Description ?? null,
    enabled: rule.State === 'ENABLED',
    // A bus is named by its name or its ARN.
    bus: rule.EventBusName.split('/').at(-1) ?? rule.EventBusName,
    pattern: rule.EventPattern === undefined ? null : new EventPattern(rule.EventPattern, found.name),
    schedule: rule.ScheduleExpression ?? null,
    targets: rule.Targets.map((target) => ({ arn: target.Arn, input: readInput(found, target) })),
  };
}

function readInput(found: Found, target: z.infer<typeof ruleSchema>['Targets'][number]): TargetInput {
  if (target.InputTransformer !== undefined) {
    const { InputPathsMap, InputTemplate } = target.InputTransformer;
    return { kind: 'template', paths: InputPathsMap, template: InputTemplate };
  }
  if (target.Input !== undefined) {
    try {
      return { kind: 'constant', value: z.json().parse(JSON.parse(target.Input)) };
    } catch (thrown) {
      throw problem(found, `has an input that is no JSON: ${target.Input}`, thrown);
    }
  }
  return target.InputPath === undefined ? { kind: 'event' } : { kind: 'path', path: target.InputPath };
}

function readAlarm(resolver: Resolver, found: Found): DeployedAlarm {
  const alarm = read(resolver, found, alarmSchema);
  return {
    name: found.name,
    arn: found.arn,
    description: alarm.AlarmDescription ?? null,
    namespace: alarm.Namespace,
    metricName: alarm.MetricName,
    dimensions: Object.fromEntries(alarm.Dimensions.map(({ Name, Value }) => [Name, Value])),
    statistic: alarm.Statistic,
    periodSeconds: alarm.Period,
    evaluationPeriods: alarm.EvaluationPeriods,
    datapointsToAlarm: alarm.DatapointsToAlarm ?? alarm.EvaluationPeriods,
    threshold: alarm.Threshold,
    comparison: alarm.ComparisonOperator,
    missingData: alarm.TreatMissingData,
    alarmActions: alarm.ActionsEnabled ? alarm.AlarmActions : [],
  };
}

/** The resource's properties, resolved and checked. Of a loose schema, only what it names is resolved. */
function read<S extends z.ZodObject>(resolver: Resolver, found: Found, schema: S): z.output<S> {
  const strict = schema.def.catchall !== undefined;
  const wanted = Object.entries(found.resource.properties).filter(([name]) => strict || name in schema.shape);
  const parsed = schema.safeParse(resolver.resolve(found.stack, found.logicalId, Object.fromEntries(wanted)));
  if (!parsed.success) {
    const words = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw problem(found, `has properties that the local cloud does not know: ${words}`, parsed.error);
  }
  return parsed.data;
}

function problem({ stack, logicalId }: Found, words: string, cause: unknown): RejoinError {
  return new RejoinError('InvalidInput', `resource '${logicalId}' of stack '${stack.name}' ${words}`, { cause });
}
