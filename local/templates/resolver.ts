import { RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';
import { localAccount, localRegion, physicalResource, type PhysicalResource } from './physical-names';
import type { StackTemplate } from './read-assembly';

/** Where a value stands, for messages. */
interface Place {
  readonly stack: StackTemplate;
  readonly logicalId: string;
}

/** Marks a property that is to be left out. */
const noValue = Symbol('AWS::NoValue');
type Resolved = Json | typeof noValue;

const pseudoParameters: Readonly<Record<string, Resolved>> = {
  'AWS::AccountId': localAccount,
  'AWS::Region': localRegion,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::NoValue': noValue,
};

/** Turns what CloudFormation would know at deployment into the local cloud's own names and ARNs. */
export class Resolver {
  constructor(private readonly stacks: readonly StackTemplate[]) {}

  /**
   * The value with every intrinsic resolved.
   *
   * @throws InvalidInput, naming the resource, for an intrinsic or a reference that is not known
   */
  resolve(stack: StackTemplate, logicalId: string, value: Json): Json {
    const resolved = this.value({ stack, logicalId }, value);
    return resolved === noValue ? null : resolved;
  }

  /** The name, reference and attributes that a resource has here. @throws InvalidInput when its type is not known */
  physical(stack: StackTemplate, logicalId: string): PhysicalResource & { readonly name: string } {
    const place = { stack, logicalId };
    const resource = stack.resources.get(logicalId);
    if (resource === undefined) {
      throw problem(place, `refers to '${logicalId}', which is not in its template`);
    }
    const found = physicalResource(resource.type, { stack: stack.name, logicalId }, (property) => {
      const given = resource.properties[property];
      const name = given === undefined ? null : this.value(place, given);
      return typeof name === 'string' ? name : null;
    });
    if (found === null) {
      throw problem(place, `is a ${resource.type}, and the local cloud knows no names of that type`);
    }
    return found;
  }

  private value(place: Place, value: Json): Resolved {
    if (Array.isArray(value)) {
      return value.map((item: Json) => this.value(place, item)).filter((item) => item !== noValue);
    }
    if (value === null || typeof value !== 'object') {
      return value;
    }
    const entries = Object.entries(value as JsonObject);
    const [first] = entries;
    if (entries.length === 1 && first !== undefined && (first[0] === 'Ref' || first[0].startsWith('Fn::'))) {
      return this.intrinsic(place, first[0], first[1]);
    }
    return Object.fromEntries(
      entries.flatMap(([name, inner]) => {
        const resolved = this.value(place, inner);
        return resolved === noValue ? [] : [[name, resolved] as const];
      }),
    );
  }

  private intrinsic(place: Place, name: string, given: Json): Resolved {
    switch (name) {
      case 'Ref':
        return this.reference(place, text(place, name, given));
      case 'Fn::GetAtt':
        return this.attribute(place, typeof given === 'string' ? given : this.texts(place, name, given).join('.'));
      case 'Fn::Join': {
        const [separator, parts] = list(place, name, given, 2);
        return this.texts(place, name, parts).join(text(place, name, separator));
      }
      case 'Fn::Split': {
        const [separator, whole] = list(place, name, given, 2);
        return text(place, name, this.value(place, whole ?? null)).split(text(place, name, separator));
      }
      case 'Fn::Select': {
        const [index, from] = list(place, name, given, 2);
        const items = this.value(place, from ?? null);
        const item: unknown = Array.isArray(items) ? items[Number(index)] : undefined;
        if (item === undefined) {
          throw problem(place, `uses Fn::Select with index ${JSON.stringify(index)} of ${JSON.stringify(items)}`);
        }
        return item as Json;
      }
      case 'Fn::Sub':
        return this.substitute(place, given);
      case 'Fn::ImportValue':
        return this.imported(place, text(place, name, this.value(place, given)));
      default:
        throw problem(place, `uses ${name}, which the local cloud does not know`);
    }
  }

  private reference(place: Place, name: string): Resolved {
    const pseudo = name === 'AWS::StackName' ? place.stack.name : pseudoParameters[name];
    if (pseudo !== undefined) {
      return pseudo;
    }
    if (place.stack.parameters.has(name)) {
      const value = place.stack.parameters.get(name) ?? null;
      if (value === null) {
        throw problem(place, `refers to parameter '${name}', which has no default value`);
      }
      return value;
    }
    if (!place.stack.resources.has(name)) {
      throw problem(place, `refers to '${name}', which is neither a resource nor a parameter of its template`);
    }
    return this.physical(place.stack, name).ref;
  }

  private attribute(place: Place, path: string): Json {
    const dot = path.indexOf('.');
    const [logicalId, attribute] = [path.slice(0, dot), path.slice(dot + 1)];
    if (!place.stack.resources.has(logicalId)) {
      throw problem(place, `refers to '${logicalId}', which is not a resource of its template`);
    }
    const value = this.physical(place.stack, logicalId).attributes[attribute];
    if (value === undefined) {
      throw problem(place, `needs attribute '${attribute}' of '${logicalId}', which the local cloud does not know`);
    }
    return value;
  }

  private substitute(place: Place, given: Json): Json {
    const [template, variables] = Array.isArray(given) ? list(place, 'Fn::Sub', given, 2) : [given, {}];
    const own = (variables ?? {}) as JsonObject;
    return text(place, 'Fn::Sub', template).replaceAll(
      /\$\{(!?)([^}]+)\}/g,
      (_whole, escaped: string, name: string) => {
        if (escaped === '!') {
          return `\${${name}}`;
        }
        const inner = own[name];
        const value =
          inner !== undefined
            ? this.value(place, inner)
            : name.includes('.')
              ? this.attribute(place, name)
              : this.reference(place, name);
        return text(place, 'Fn::Sub', value);
      },
    );
  }

  private imported(place: Place, exportName: string): Json {
    for (const stack of this.stacks) {
      for (const { name, value } of stack.exports) {
        if (this.resolve(stack, 'Outputs', name) === exportName) {
          return this.resolve(stack, 'Outputs', value);
        }
      }
    }
    throw problem(place, `imports '${exportName}', which no stack of this app exports`);
  }

  private texts(place: Place, name: string, given: Json | undefined): readonly string[] {
    const items = this.value(place, given ?? null);
    if (!Array.isArray(items)) {
      throw problem(place, `uses ${name} with ${JSON.stringify(given)} where a list is needed`);
    }
    return items.map((item: Json) => text(place, name, item));
  }
}

function list(place: Place, name: string, given: Json, length: number): readonly Json[] {
  if (!Array.isArray(given) || given.length !== length) {
    throw problem(place, `uses ${name} with ${JSON.stringify(given)} where a list of ${length} is needed`);
  }
  return given as readonly Json[];
}

function text(place: Place, name: string, given: Resolved | undefined): string {
  if (typeof given === 'string') {
    return given;
  }
  if (typeof given === 'number' || typeof given === 'boolean') {
    return String(given);
  }
  throw problem(place, `uses ${name} with ${JSON.stringify(given)} where text is needed`);
}

function problem({ stack, logicalId }: Place, words: string): RejoinError {
  return new RejoinError('InvalidInput', `resource '${logicalId}' of stack '${stack.name}' ${words}`);
}
