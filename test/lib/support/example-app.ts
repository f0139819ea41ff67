import { join } from 'node:path';
import type { App, Stack } from 'aws-cdk-lib';
import { Stack as CdkStack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { loadSettings } from '../../../lib/config/load';
import type { AppSettings } from '../../../lib/config/app-settings';
import { projectRoot } from '../../../lib/constructs/bundling';
import { makeApp } from '../../../lib/stacks/make-app';

export const exampleFile = join(projectRoot, 'rejoin.example.yaml');

/** The app that the example describes, with steps that are not bundled. */
export function exampleApp(changes: Partial<AppSettings> = {}): App {
  return makeApp({ ...loadSettings(exampleFile).settings, ...changes }, { bundle: false, validate: false });
}

export function stacksOf(app: App): readonly Stack[] {
  return app.node.children.filter((child): child is Stack => CdkStack.isStack(child));
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly Metadata?: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
}

/** Stack → template, of every stack of an app. */
export function templatesOf(app: App): ReadonlyMap<string, Template> {
  return new Map(stacksOf(app).map((stack) => [stack.stackName, Template.fromStack(stack)]));
}

/** Every resource of a type, named by stack and logical id: rows for `test.each`. */
export function resourcesOf(templates: ReadonlyMap<string, Template>, type: string): (readonly [string, Resource])[] {
  return [...templates].flatMap(([stack, template]) =>
    Object.entries(template.findResources(type)).map(
      ([id, resource]) => [`${stack}/${id}`, resource as Resource] as const,
    ),
  );
}
