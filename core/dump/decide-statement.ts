/** What the loader does with one statement of a dump. */
export type StatementDecision =
  | { readonly action: 'run' }
  /** Runs, and is passed over with a note where a role that it names is not there. */
  | { readonly action: 'run if roles exist' }
  /** Runs, and is passed over with a note where the server doesn't know the setting. */
  | { readonly action: 'run if known' }
  /** Runs, and is passed over with a note where the server doesn't have the extension; what needs it fails later. */
  | { readonly action: 'run if available' }
  /** Runs, and is passed over with a note where the object is there. */
  | { readonly action: 'run if absent' }
  /** Null: nobody needs to know. */
  | { readonly action: 'skip'; readonly reason: string | null }
  | { readonly action: 'refuse'; readonly reason: string };

const run: StatementDecision = { action: 'run' };

/** In their order: the first that fits decides. */
const rules: readonly (readonly [RegExp, StatementDecision])[] = [
  // The whole dump is loaded in one transaction.
  [/^(BEGIN|START TRANSACTION|COMMIT|END)\s*$/i, { action: 'skip', reason: null }],
  [
    /^((CREATE|DROP|ALTER) DATABASE|(COMMENT|SECURITY LABEL .*) ON DATABASE|(GRANT|REVOKE) .* ON DATABASE)\b/is,
    { action: 'skip', reason: 'it is about the database from which the dump comes' },
  ],
  [
    /^(CREATE|ALTER) (ROLE|USER|GROUP)\b(?! MAPPING)/i,
    {
      action: 'refuse',
      reason: 'it is about roles: this is a dump of a whole server (pg_dumpall); dump one database with pg_dump',
    },
  ],
  [
    /^(CREATE|ALTER|COMMENT ON) (SUBSCRIPTION|PUBLICATION)\b/i,
    { action: 'skip', reason: 'Rejoin replicates the tables itself' },
  ],
  [/^SET SESSION AUTHORIZATION\b/i, { action: 'skip', reason: 'objects belong to the role that loads them' }],
  [/^CREATE EXTENSION\b/i, { action: 'run if available' }],
  [/^(SET\b|COMMENT ON EXTENSION\b)/i, { action: 'run if known' }],
  [/^CREATE SCHEMA (IF NOT EXISTS )?("public"|public)\s*$/i, { action: 'run if absent' }],
  [
    /^(ALTER .* OWNER TO |GRANT |REVOKE |ALTER DEFAULT PRIVILEGES |REASSIGN |CREATE POLICY |CREATE USER MAPPING )/is,
    { action: 'run if roles exist' },
  ],
];

const encodingRule = /^SET client_encoding\s*(?:=|TO)\s*'?([\w-]+)'?\s*$/i;

/** Decides what is done with a statement, whose text has no comment in front. */
export function decideStatement(text: string): StatementDecision {
  const encoding = encodingRule.exec(text)?.[1];
  if (encoding !== undefined) {
    return /^(utf-?8|sql_ascii)$/i.test(encoding)
      ? { action: 'skip', reason: null }
      : { action: 'refuse', reason: `the dump is encoded in ${encoding}; make it with pg_dump --encoding=UTF8` };
  }
  // No rule looks further than this; a statement may be very long.
  const head = text.slice(0, 10_000);
  return rules.find(([pattern]) => pattern.test(head))?.[1] ?? run;
}

/** What is done with a command of psql, given how many `\connect` came before it. */
export function decideCommand(
  text: string,
  connectsBefore: number,
): Exclude<StatementDecision, { readonly action: `run${string}` }> {
  if (/^(un)?restrict\b/.test(text)) {
    return { action: 'skip', reason: null };
  }
  if (/^(connect|c)\b/.test(text)) {
    return connectsBefore === 0
      ? { action: 'skip', reason: 'the dump is loaded into the database that was given' }
      : {
          action: 'refuse',
          reason: 'it changes to another database: this is a dump of several; dump one database with pg_dump',
        };
  }
  if (/^(encoding|set|unset|echo|qecho|timing|pset|x|t|a|o|\.)\b|^\.$/.test(text)) {
    return { action: 'skip', reason: 'only psql needs it' };
  }
  return {
    action: 'refuse',
    reason: `\\${text.split(/\s/)[0] ?? ''} is a command of psql, which pg_dump doesn't write; make the dump again with pg_dump`,
  };
}
