import { readFileSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Document, Pair, ParsedNode, YAMLError } from 'yaml';
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { clusterSettingsSchema } from '../../core/cluster/settings';
import { messageOf, RejoinError } from '../../core/errors';
import type { AppSettings } from './app-settings';
import { appSettingsSchema, editorSchema } from './app-settings';
import type { CheckedParts } from './checked-parts';
import { crossCheck, crossWarnings } from './cross-checks';
import { explain } from './explain';
import type { Path, Problem } from './problem';
import { pathText, shown } from './problem';

export interface LoadedSettings {
  readonly settings: AppSettings;
  /** Allowed, but likely not meant: one line each, with file, line and column. */
  readonly warnings: readonly string[];
}

const maxFileBytes = 1_048_576;

/**
 * Reads rejoin.yaml.
 *
 * @throws InvalidSettings with every problem at once, each with line, column, path, what was given and what is allowed
 */
export function loadSettings(path: string): LoadedSettings {
  return parseSettings(readText(path), basename(path));
}

/** Reads the text of rejoin.yaml. `file` is what its problems call it. @throws InvalidSettings */
export function parseSettings(text: string, file: string): LoadedSettings {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw invalid(
      file,
      document.errors.map((error) => `${at(file, lines, error.pos[0])}: ${explainSyntax(error)}`),
    );
  }
  const value = plain(document, file);
  if (value === null || value === undefined) {
    throw new RejoinError('InvalidSettings', `${file} is empty; begin with a copy of rejoin.example.yaml`);
  }
  if (!isMap(document.contents)) {
    throw invalid(file, [
      `${at(file, lines, 0)}: ${shown(value)} can't be the settings; expected fields such as version`,
    ]);
  }
  const describe = (problem: Problem): string =>
    `${at(file, lines, offsetOf(document, problem))}  ${pathText(problem.path)}: ${problem.message}`;
  const parsed = appSettingsSchema.safeParse(value);
  const parts = checkedParts(value);
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap((issue) => explain(issue, value, editorSchema()))),
    ...crossCheck(parts),
  ];
  if (problems.length > 0 || !parsed.success) {
    const inOrder = problems.toSorted((a, b) => offsetOf(document, a) - offsetOf(document, b));
    throw invalid(file, inOrder.map(describe));
  }
  return { settings: parsed.data, warnings: crossWarnings(parts).map(describe) };
}

function readText(path: string): string {
  const full = resolve(path);
  try {
    const found = statSync(full);
    if (!found.isFile()) {
      throw new RejoinError('InvalidSettings', `${full} is not a file; REJOIN_CONFIG must name the file itself`);
    }
    if (found.size > maxFileBytes) {
      throw new RejoinError('InvalidSettings', `${full} has ${found.size} bytes; at most ${maxFileBytes} are read`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(full));
  } catch (thrown) {
    if (thrown instanceof RejoinError) {
      throw thrown;
    }
    const code = (thrown as NodeJS.ErrnoException).code;
    const message =
      code === 'ENOENT'
        ? `there is no file ${full}; copy rejoin.example.yaml to rejoin.yaml and fill it in, or name another file in REJOIN_CONFIG`
        : code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
          ? `${full} is not UTF-8 text; save it as UTF-8`
          : `can't read ${full}: ${messageOf(thrown)}`;
    throw new RejoinError('InvalidSettings', message, { cause: thrown });
  }
}

function plain(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (thrown) {
    throw new RejoinError('InvalidSettings', `${file} can't be used: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/** What fits the schema by itself, so that rules between fields are checked although something else is wrong. */
function checkedParts(value: unknown): CheckedParts {
  const given = (typeof value === 'object' ? value : {}) as Partial<Record<keyof AppSettings, unknown>>;
  const workflows = appSettingsSchema.shape.workflows.safeParse(given.workflows);
  const nodeRole = appSettingsSchema.shape.nodeRole.safeParse(given.nodeRole);
  const vpc = appSettingsSchema.shape.vpc.safeParse(given.vpc);
  const zone = appSettingsSchema.shape.zone.safeParse(given.zone);
  const clusters =
    typeof given.clusters === 'object' && given.clusters !== null ? Object.entries(given.clusters) : null;
  return {
    clusterCount: clusters?.length ?? null,
    clusters: Object.fromEntries(
      (clusters ?? []).flatMap(([name, cluster]) => {
        const parsed = clusterSettingsSchema.safeParse(cluster);
        return parsed.success ? [[name, parsed.data] as const] : [];
      }),
    ),
    workflows: workflows.success ? workflows.data : { 'node-recovery': false, backup: false },
    // A wrong one is a problem of its own, not a missing one.
    vpc: vpc.success ? vpc.data : null,
    nodeRole: nodeRole.success ? nodeRole.data : 'invalid',
    zoneName: zone.success ? zone.data.name : null,
  };
}

const knownSyntax: Partial<Record<YAMLError['code'], string>> = {
  DUPLICATE_KEY: 'this field is given twice in the same group; remove one of them',
  TAB_AS_INDENT: "tabs can't indent YAML; use spaces",
  MULTIPLE_DOCS: "there is more than one document in the file; remove the '---' between them",
};

function explainSyntax(error: YAMLError): string {
  const { message } = error;
  return knownSyntax[error.code] ?? `this is not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

function invalid(file: string, problems: readonly string[]): RejoinError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new RejoinError('InvalidSettings', `${file} has ${count}:\n${problems.map((line) => `  ${line}`).join('\n')}`);
}

function at(file: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
}

/** Where a problem stands: at its value, its key, or, where it is missing, at the nearest key above it. */
function offsetOf(document: Document.Parsed, problem: Problem): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, key] of problem.path.entries()) {
    const child = childOf(node, key);
    if (child === null) {
      return offset;
    }
    const isLast = depth === problem.path.length - 1;
    const valueOffset = isLast && problem.atKey !== true ? startOf(child.value) : null;
    offset = valueOffset ?? child.keyOffset ?? startOf(child.value) ?? offset;
    // A group begins in the line below its name; the name is the better place to look at.
    if (isLast && (isMap(child.value) || isSeq(child.value))) {
      offset = child.keyOffset ?? offset;
    }
    node = child.value;
  }
  return offset;
}

function childOf(
  node: unknown,
  key: Path[number],
): { readonly keyOffset: number | null; readonly value: unknown } | null {
  if (isSeq(node) && typeof key === 'number') {
    return key < node.items.length ? { keyOffset: null, value: node.items[key] } : null;
  }
  if (!isMap(node)) {
    return null;
  }
  const pair = node.items.find((item): item is Pair<ParsedNode, ParsedNode | null> => {
    const name = isPair(item) && isScalar(item.key) ? item.key.value : undefined;
    return String(name) === String(key);
  });
  return pair === undefined ? null : { keyOffset: startOf(pair.key), value: pair.value };
}

function startOf(node: unknown): number | null {
  const { range } = (node ?? {}) as { readonly range?: readonly number[] | null };
  return range?.[0] ?? null;
}
