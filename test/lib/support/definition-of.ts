import type { Template } from 'aws-cdk-lib/assertions';

export interface StateInTemplate {
  readonly Type: string;
  readonly Resource?: string;
  readonly TimeoutSeconds?: number;
  readonly Arguments?: Readonly<Record<string, unknown>>;
  readonly Retry?: readonly { readonly ErrorEquals: readonly string[]; readonly MaxAttempts?: number }[];
  readonly Catch?: readonly { readonly ErrorEquals: readonly string[]; readonly Next: string }[];
  readonly MaxConcurrency?: number | string;
  readonly ItemProcessor?: DefinitionInTemplate;
  readonly Branches?: readonly DefinitionInTemplate[];
}

export interface DefinitionInTemplate {
  readonly QueryLanguage?: string;
  readonly TimeoutSeconds?: number;
  readonly StartAt: string;
  readonly States: Readonly<Record<string, StateInTemplate>>;
}

interface StateMachineResource {
  readonly Properties: { readonly DefinitionString: string | { readonly 'Fn::Join': [string, readonly unknown[]] } };
}

/** Every state machine of a template by its logical id, with what is known only at deployment written as `<logical id>`. */
export function definitionsOf(template: Template): ReadonlyMap<string, DefinitionInTemplate> {
  const machines = template.findResources('AWS::StepFunctions::StateMachine') as Record<string, StateMachineResource>;
  return new Map(Object.entries(machines).map(([id, machine]) => [id, parse(machine)]));
}

/** The only state machine of a template. */
export function definitionOf(template: Template): DefinitionInTemplate {
  const [first, ...others] = [...definitionsOf(template).values()];
  if (first === undefined || others.length > 0) {
    throw new Error(`expected one state machine in the template, found ${first === undefined ? 0 : others.length + 1}`);
  }
  return first;
}

function parse(machine: StateMachineResource): DefinitionInTemplate {
  const given = machine.Properties.DefinitionString;
  const text =
    typeof given === 'string'
      ? given
      : given['Fn::Join'][1].map((part) => (typeof part === 'string' ? part : placeholder(part))).join('');
  return JSON.parse(text) as DefinitionInTemplate;
}

function placeholder(reference: unknown): string {
  const { Ref: ref, 'Fn::GetAtt': attribute } = reference as { Ref?: string; 'Fn::GetAtt'?: [string, string] };
  const known: Record<string, string> = { 'AWS::Partition': 'aws', 'AWS::Region': 'eu-central-1' };
  if (ref !== undefined) {
    return known[ref] ?? `<${ref}>`;
  }
  return `<${attribute?.[0] ?? JSON.stringify(reference).replaceAll('"', "'")}>`;
}
