import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { messageOf, RejoinError } from '../../core/errors';
import type { Json, JsonObject } from '../../core/json';

/** One resource of a template, nothing resolved. */
export interface TemplateResource {
  readonly type: string;
  readonly properties: JsonObject;
  readonly metadata: JsonObject;
}

/** One synthesized stack. */
export interface StackTemplate {
  readonly name: string;
  readonly resources: ReadonlyMap<string, TemplateResource>;
  /** Parameter → default value; null: it has none. */
  readonly parameters: ReadonlyMap<string, Json>;
  /** Export name (as written: it may be an intrinsic) and value. */
  readonly exports: readonly { readonly name: Json; readonly value: Json }[];
}

const jsonObject = z.record(z.string(), z.json());
const templateSchema = z.object({
  Resources: z
    .record(
      z.string(),
      z.object({ Type: z.string(), Properties: jsonObject.default({}), Metadata: jsonObject.default({}) }),
    )
    .default({}),
  Parameters: z.record(z.string(), z.object({ Default: z.json().optional() })).default({}),
  Outputs: z
    .record(z.string(), z.object({ Value: z.json(), Export: z.object({ Name: z.json() }).optional() }))
    .default({}),
});

const manifestSchema = z.object({
  artifacts: z
    .record(
      z.string(),
      z.object({
        type: z.string(),
        properties: z
          .object({
            templateFile: z.string().optional(),
            stackName: z.string().optional(),
            directoryName: z.string().optional(),
          })
          .default({}),
      }),
    )
    .default({}),
});

/**
 * Reads every stack that the CDK synthesized into `folder`, those of stages too.
 *
 * @throws NotFound when there is no synthesized app; InvalidInput when it is not one that can be read
 */
export async function readAssembly(folder: string): Promise<readonly StackTemplate[]> {
  const manifest = await readJson(join(folder, 'manifest.json'), manifestSchema);
  const stacks: StackTemplate[] = [];
  for (const [id, { type, properties }] of Object.entries(manifest.artifacts)) {
    if (type === 'aws:cloudformation:stack' && properties.templateFile !== undefined) {
      stacks.push(await readStack(properties.stackName ?? id, join(folder, properties.templateFile)));
    } else if (type === 'cdk:cloud-assembly' && properties.directoryName !== undefined) {
      stacks.push(...(await readAssembly(join(folder, properties.directoryName))));
    }
  }
  return stacks;
}

async function readStack(name: string, file: string): Promise<StackTemplate> {
  const template = await readJson(file, templateSchema);
  return {
    name,
    resources: new Map(
      Object.entries(template.Resources).map(([id, resource]) => [
        id,
        { type: resource.Type, properties: resource.Properties, metadata: resource.Metadata },
      ]),
    ),
    parameters: new Map(Object.entries(template.Parameters).map(([id, parameter]) => [id, parameter.Default ?? null])),
    exports: Object.values(template.Outputs).flatMap((output) =>
      output.Export === undefined ? [] : [{ name: output.Export.Name, value: output.Value }],
    ),
  };
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (thrown) {
    throw new RejoinError('NotFound', `there is no synthesized app: ${messageOf(thrown)}; run 'npx cdk synth' first`, {
      cause: thrown,
    });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new RejoinError('InvalidInput', `${file} is not as the CDK writes it: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}
