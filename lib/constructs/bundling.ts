import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSync, type BuildOptions } from 'esbuild';
import { RejoinError } from '../../core/errors';

/** The repository's root: entries and bundles are relative to it. */
export const projectRoot = join(__dirname, '..', '..');

/** Loaded from the bundle's own node_modules: it holds a binary for one platform. */
const codecPackage = 'lz4-napi';
const codecBinaryPackage = '@antoniomuso/lz4-napi-linux-x64-gnu';

/**
 * How every step is bundled, on AWS and in the local cloud alike. Identifiers are kept: an operator reads stack traces,
 * and compression makes up for most of their size.
 */
export const bundleSettings = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'cjs',
  mainFields: ['module', 'main'],
  minifyWhitespace: true,
  minifySyntax: true,
  keepNames: false,
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'silent',
  // `pg` asks for its optional native twin, which is not installed.
  external: [codecPackage, 'pg-native'],
} as const satisfies BuildOptions;

/** The name under which a step's Lambda function carries its source file: the local cloud bundles and runs that file. */
export const entryMetadata = 'rejoin:entry';

/** `node-recovery/confirm-failure` is `lambdas/node-recovery/confirm-failure.ts`. */
export function entryFile(entry: string): string {
  return `lambdas/${entry}.ts`;
}

export interface Bundle {
  /** The folder to be zipped. */
  readonly folder: string;
  /** Of everything in it. */
  readonly hash: string;
}

const made = new Map<string, Bundle>();

/**
 * Bundles one step into a folder of its own, named by what is in it. The same call twice gives the same folder.
 *
 * @throws Error with esbuild's messages when the entry does not build
 */
export function bundleStep(entry: string, options: { readonly codec: boolean }): Bundle {
  const id = `${entry} ${String(options.codec)}`;
  const earlier = made.get(id);
  if (earlier !== undefined && existsSync(earlier.folder)) {
    return earlier;
  }
  const outputs = join(projectRoot, 'dist', 'steps');
  mkdirSync(outputs, { recursive: true });
  const half = mkdtempSync(join(outputs, '.half-'));
  try {
    const code = bundleCode(entry);
    writeFileSync(join(half, 'index.js'), code);
    const codec = options.codec ? shipCodec(half) : '';
    const hash = createHash('sha256').update(code).update(codec).digest('hex');
    const folder = join(outputs, `${entry.replaceAll('/', '.')}.${hash.slice(0, 16)}`);
    if (!existsSync(folder)) {
      renameSync(half, folder);
    }
    const bundle = { folder, hash };
    made.set(id, bundle);
    return bundle;
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

function bundleCode(entry: string): Uint8Array {
  const result = buildSync({
    ...bundleSettings,
    absWorkingDir: projectRoot,
    entryPoints: [entryFile(entry)],
    write: false,
    // Placed by name only: nothing is written here.
    outfile: 'index.js',
  });
  const output = result.outputFiles[0];
  if (output === undefined) {
    throw new Error(`esbuild made nothing of ${entryFile(entry)}`);
  }
  return output.contents;
}

/** Copies the codec and its binary for Lambda's platform beside the code. @returns what identifies their versions */
function shipCodec(folder: string): string {
  const versions: string[] = [];
  for (const name of [codecPackage, codecBinaryPackage]) {
    const manifest = findManifest(name);
    cpSync(dirname(manifest), join(folder, 'node_modules', name), {
      recursive: true,
      filter: (source) => !/\.(d\.ts|md)$/.test(source),
    });
    versions.push(`${name}@${(JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version}`);
  }
  return versions.join(' ');
}

/** @throws InvalidSettings, with the command that installs it */
function findManifest(name: string): string {
  const manifest = join(projectRoot, 'node_modules', name, 'package.json');
  if (!existsSync(manifest)) {
    throw new RejoinError(
      'InvalidSettings',
      `package '${name}' is not installed: a step that compresses ships its binary for Lambda (Linux, x86_64); run 'npm install --no-save --force ${codecBinaryPackage}' before you deploy from this computer`,
    );
  }
  return manifest;
}
