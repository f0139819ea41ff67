import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { Script } from 'node:vm';
import { build, type Plugin } from 'esbuild';
import type * as campaign from './campaign';

const root = resolve(__dirname, '..', '..');

/** Steps are loaded without the clients of AWS, as jest.config.js does it for tests. */
const stepsAlone: Plugin = {
  name: 'steps-alone',
  setup: (builder) => {
    builder.onResolve({ filter: /\/adapters\/ports$/ }, () => ({
      path: join(root, 'test', 'support', 'unused-ports.ts'),
    }));
  },
};

/** Bundles the simulation with all steps and loads it: it runs twice as fast as from its sources, and starts sooner. */
export async function loadCampaign(): Promise<typeof campaign> {
  const { outputFiles } = await build({
    entryPoints: [join(__dirname, 'campaign.ts')],
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    packages: 'external',
    plugins: [stepsAlone],
    logLevel: 'silent',
  });
  const module = { exports: {} };
  const program = new Script(`(function (module, exports, require, __dirname) {${outputFiles[0]?.text ?? ''}\n})`, {
    filename: 'simulation.cjs',
  });
  const run = program.runInThisContext() as (...given: unknown[]) => void;
  run(module, module.exports, createRequire(__filename), __dirname);
  return module.exports as typeof campaign;
}
