import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { loadSettings } from '../lib/config/load';
import { bundleStep, projectRoot } from '../lib/constructs/bundling';
import { CodeFunction } from '../lib/constructs/code-function';
import { makeApp } from '../lib/stacks/make-app';

const limitBytes = 1_048_576;

/** Entry → why its zip may be larger than the limit. */
const reasons: Readonly<Record<string, string>> = {};

/** The size of the zip file that a folder becomes: each file deflated, its two headers, and the end record. */
function zipBytes(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return files.reduce((total, file) => {
    const path = join(file.parentPath, file.name);
    const headers = 30 + 46 + 2 * Buffer.byteLength(relative(folder, path));
    return total + headers + deflateRawSync(readFileSync(path)).length;
  }, 22);
}

/** Prints what each step weighs, and fails when one is too heavy without a reason. */
function main(): void {
  const { settings } = loadSettings(join(projectRoot, 'rejoin.example.yaml'));
  const functions = makeApp(settings, { bundle: false, validate: false })
    .node.findAll()
    .filter((node) => node instanceof CodeFunction);
  const codecOf = new Map(functions.map(({ entry, codec }) => [entry, codec]));
  const rows = [...codecOf]
    .map(([entry, codec]) => ({ entry, codec, bytes: zipBytes(bundleStep(entry, { codec }).folder) }))
    .sort((a, b) => b.bytes - a.bytes);
  for (const { entry, codec, bytes } of rows) {
    const note = bytes > limitBytes ? (reasons[entry] ?? 'too large, without a reason') : codec ? 'with codec' : '';
    process.stdout.write(`${(bytes / 1024).toFixed(0).padStart(6)} KiB  ${entry.padEnd(40)} ${note}`.trimEnd() + '\n');
  }
  const tooLarge = rows.filter(({ entry, bytes }) => bytes > limitBytes && reasons[entry] === undefined);
  if (tooLarge.length > 0) {
    process.stderr.write(
      `${tooLarge.map(({ entry }) => entry).join(', ')}: larger than ${limitBytes / 1024} KiB; drop what is not used, or give the reason in scripts/bundle-sizes.ts\n`,
    );
    process.exitCode = 1;
  }
}

main();
