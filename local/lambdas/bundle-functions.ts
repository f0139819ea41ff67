import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build as esbuild, type BuildFailure, type Plugin } from 'esbuild';
import { RejoinError } from '../../core/errors';
import { bundleSettings, projectRoot } from '../../lib/constructs/bundling';

/** The one difference between what is deployed and what runs here. */
const localPorts: Plugin = {
  name: 'local-ports',
  setup: (build) => {
    build.onResolve({ filter: /\/adapters\/ports$/ }, () => ({
      path: join(projectRoot, 'local', 'adapters', 'ports.ts'),
      // As package.json says of all our files: what a step does not use is left out.
      sideEffects: false,
    }));
  },
};

/**
 * Bundles functions by the deployed settings, with only the adapters exchanged.
 *
 * @param entries name of a function → its source file, relative to the project's root
 * @param folder each bundle becomes `<folder>/<name>/index.js`
 * @throws InvalidInput with esbuild's words when an entry is not there or does not build
 */
export async function bundleFunctions(entries: ReadonlyMap<string, string>, folder: string): Promise<void> {
  linkExternals(dirname(folder));
  await bundle({
    entryPoints: Object.fromEntries([...entries].map(([name, file]) => [`${name}/index`, file])),
    folder,
  });
}

/** Bundles the program of the processes that run functions. @returns its file */
export async function bundleRunner(folder: string): Promise<string> {
  await bundle({ entryPoints: { runner: 'local/lambdas/runner.ts' }, folder });
  return join(folder, 'runner.js');
}

async function bundle(options: {
  readonly entryPoints: Record<string, string>;
  readonly folder: string;
}): Promise<void> {
  try {
    await esbuild({
      ...bundleSettings,
      external: [...bundleSettings.external],
      mainFields: [...bundleSettings.mainFields],
      absWorkingDir: projectRoot,
      entryPoints: options.entryPoints,
      outdir: options.folder,
      plugins: [localPorts],
    });
  } catch (thrown) {
    const { errors } = thrown as BuildFailure;
    throw new RejoinError(
      'InvalidInput',
      `functions can't be bundled: ${errors.map(({ text, location }) => `${location === null ? '' : `${location.file}:${location.line}: `}${text}`).join('; ')}`,
      { cause: thrown },
    );
  }
}

/** What bundles load at run time is found beside them, as on Lambda, wherever the run's folder lies. */
function linkExternals(folder: string): void {
  for (const name of bundleSettings.external) {
    const target = join(projectRoot, 'node_modules', name);
    const link = join(folder, 'node_modules', name);
    if (existsSync(target) && !existsSync(link)) {
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(target, link, 'dir');
    }
  }
}
