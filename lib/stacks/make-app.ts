import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, type AppProps } from 'aws-cdk-lib';
import type { AppSettings } from '../config/app-settings';
import { projectRoot } from '../constructs/bundling';
import { BackupStack } from './backup-stack';
import { FoundationStack } from './foundation-stack';
import { NodeRecoveryStack } from './node-recovery-stack';
import { RegistrationStack } from './registration-stack';

export interface MakeAppProps extends Pick<AppProps, 'outdir'> {
  /**
   * Whether the steps are bundled into the synthesized app.
   *
   * @default true
   */
  readonly bundle?: boolean;
  /**
   * Whether the templates are checked as CloudFormation would check them, which takes most of a synthesis' time.
   *
   * @default true
   */
  readonly validate?: boolean;
}

/** The CDK app that rejoin.yaml describes. The same settings give the same templates, wherever it is made. */
export function makeApp(settings: AppSettings, props: MakeAppProps = {}): App {
  const { bundle = true, validate = true, ...rest } = props;
  const app = new App({
    ...rest,
    analyticsReporting: false,
    builtinCloudFormationValidation: validate,
    context: { ...recommendedContext(), ...(bundle ? {} : { 'aws:cdk:bundling-stacks': [] }) },
  });
  const env = {
    ...(settings.account === undefined ? {} : { account: settings.account }),
    ...(settings.region === undefined ? {} : { region: settings.region }),
  };
  const foundation = new FoundationStack(app, 'RejoinFoundation', { settings, env });
  new RegistrationStack(app, 'RejoinRegistration', { env, foundation });
  if (settings.workflows.backup) {
    new BackupStack(app, 'RejoinBackup', { settings, env, foundation });
  }
  if (settings.workflows['node-recovery']) {
    new NodeRecoveryStack(app, 'RejoinNodeRecovery', { settings, env, foundation });
  }
  return app;
}

/** What the command line reads from cdk.json, for those who make the app without it. */
function recommendedContext(): Record<string, unknown> {
  const text = readFileSync(join(projectRoot, 'cdk.json'), 'utf8');
  return (JSON.parse(text) as { readonly context: Record<string, unknown> }).context;
}
