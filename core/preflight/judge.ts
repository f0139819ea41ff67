import type { Peculiarity } from '../ports/database-engine';

/** What is special about one object of a shard, as the catalogs show it. */
export interface Finding {
  readonly kind: FindingKind;
  /** Qualified name of the object; for a column with the column. */
  readonly object: string;
  /** What the verdict's words need beside it: the other object, the column, a count; '' where nothing. */
  readonly detail: string;
}

interface Handled {
  readonly verdict: 'handled';
  readonly reason: (finding: Finding) => string;
}

interface Refused {
  readonly verdict: 'refused';
  readonly reason: (finding: Finding) => string;
  readonly whatToDo: (finding: Finding) => string;
}

const handled = (reason: string | ((finding: Finding) => string)): Handled => ({
  verdict: 'handled',
  reason: typeof reason === 'string' ? () => reason : reason,
});

const refused = (reason: (finding: Finding) => string, whatToDo: (finding: Finding) => string): Refused => ({
  verdict: 'refused',
  reason,
  whatToDo,
});

/** The last part of a qualified name: what people call the table. */
function short(object: string): string {
  return /("(?:[^"]|"")*"|[^.]*)$/.exec(object)?.[1] ?? object;
}

/** What becomes of each kind of peculiarity, and why. */
const verdicts = {
  'no primary key': refused(
    ({ object }) => `${short(object)} has no primary key, so its changes can't be applied row by row`,
    ({ object }) => `ALTER TABLE ${object} ADD PRIMARY KEY (…), for example on a new identity column`,
  ),
  'deferrable primary key': refused(
    ({ object }) => `the primary key of ${short(object)} is deferrable, so the server doesn't log updates by it`,
    ({ object }) => `drop the primary key of ${object} and add it again as NOT DEFERRABLE`,
  ),
  'primary key without overlaps': refused(
    ({ object }) => `the primary key of ${short(object)} ends in WITHOUT OVERLAPS, so equal keys are not one row`,
    ({ object }) => `give ${object} a plain primary key and keep the other one as UNIQUE (… WITHOUT OVERLAPS)`,
  ),
  'generated key column': refused(
    ({ object, detail }) =>
      `column ${detail} of the primary key of ${short(object)} is generated, and generated values are not logged`,
    ({ object }) => `give ${object} a primary key of plain columns`,
  ),
  'replica identity': refused(
    ({ object, detail }) =>
      `the replica identity of ${short(object)} is ${detail}, so its changes don't name the primary key`,
    ({ object }) => `ALTER TABLE ${object} REPLICA IDENTITY DEFAULT`,
  ),
  'large objects': refused(
    ({ detail }) => `the database holds ${detail} large objects, which logical decoding doesn't see`,
    () => 'move them into bytea columns and remove them with lo_unlink',
  ),
  'foreign table': refused(
    ({ object }) => `${short(object)} is a foreign table: its rows are elsewhere`,
    ({ object }) => `move ${object} into a schema that is not part of a shard`,
  ),
  inheritance: refused(
    ({ object, detail }) => `${short(object)} inherits from ${detail}, so a query on ${detail} sees rows of both`,
    ({ object, detail }) => `ALTER TABLE ${object} NO INHERIT ${detail}, or make ${detail} a partitioned table`,
  ),
  'needs something outside': refused(
    ({ object, detail }) => `${object} needs ${detail}, which is not part of the shard`,
    ({ detail }) => `move ${detail} into a schema of the shard, or make it part of an extension`,
  ),
  'needed outside': refused(
    ({ object, detail }) => `${object} is needed by ${detail}, which is not part of the shard`,
    ({ detail }) => `drop ${detail}, or move it into a schema of the shard`,
  ),
  'trigger that fires on followers': refused(
    ({ object, detail }) =>
      `trigger ${detail} of ${short(object)} is enabled ALWAYS or for replicas, so it would fire once more for each row that is restored or replicated`,
    ({ object, detail }) => `ALTER TABLE ${object} ENABLE TRIGGER ${detail}`,
  ),
  'rule that fires on followers': refused(
    ({ object, detail }) =>
      `rule ${detail} of ${short(object)} is enabled ALWAYS or for replicas, so it would also rewrite what is restored`,
    ({ object, detail }) => `ALTER TABLE ${object} ENABLE RULE ${detail}`,
  ),
  'event trigger': refused(
    ({ object }) =>
      `event trigger ${object} belongs to the database, not to a shard, and would fire while tables are created again`,
    ({ object }) => `DROP EVENT TRIGGER ${object}, or disable it`,
  ),
  'sequence without a column': refused(
    ({ object }) => `sequence ${short(object)} fills no column, so a promoted follower can't tell where it stands`,
    ({ object }) => `ALTER SEQUENCE ${object} OWNED BY the column that holds its values, or drop it`,
  ),
  'sequence in an expression': refused(
    ({ object, detail }) =>
      `sequence ${short(object)} fills ${detail} through an expression, so the column doesn't tell where it stands`,
    ({ object, detail }) => `make nextval('${object}') alone the default of an integer column instead of ${detail}`,
  ),
  'hidden rows': refused(
    ({ object }) => `row-level security of ${short(object)} hides rows from the role that restores them`,
    () => 'give that role BYPASSRLS',
  ),
  'forced row security': refused(
    ({ object }) =>
      `row-level security of ${short(object)} is forced on its owner, and replication writes as the owner, which the server then refuses`,
    ({ object }) =>
      `ALTER TABLE ${object} NO FORCE ROW LEVEL SECURITY, and let applications use a role that doesn't own it`,
  ),
  'unsupported object': refused(
    ({ object, detail }) => `${object} is ${detail}, which is not described`,
    ({ object }) => `put ${object} into an extension, or into a schema that is not part of a shard`,
  ),
  'unlogged table': handled(
    ({ object }) => `${short(object)} is unlogged: it is created again and stays empty, as after a crash`,
  ),
  'unlogged sequence': handled(({ object }) => `sequence ${short(object)} is set from its column, as all are`),
  'generated column': handled(({ detail }) => `${detail} is computed again and neither copied nor compared`),
  'identity column': handled(
    ({ detail }) => `${detail} keeps its values; its sequence is set past them before writes are accepted`,
  ),
  partitions: handled(({ detail }) => `its ${detail} partitions are restored one by one and attached`),
  'enum type': handled('is created with its labels in their order'),
  'domain type': handled('is created with its checks'),
  'composite type': handled('is created again'),
  'range type': handled('is created again'),
  trigger: handled(
    ({ detail }) => `trigger ${detail} is created after the rows and doesn't fire for restored or replicated ones`,
  ),
  rule: handled(({ detail }) => `rule ${detail} is created after the rows`),
  'foreign key': handled(({ detail }) => `${detail} is added after the rows and then validated`),
  'large values': handled(
    'values kept out of line are merged from the row that is there where a change leaves them out',
  ),
  sequence: handled(({ detail }) => `is set past the largest value of ${detail} before writes are accepted`),
  'unique constraint': handled(
    ({ detail }) => `${detail} is built when the passes have ended: until then two rows may hold one value`,
  ),
  'exclusion constraint': handled(
    ({ detail }) => `${detail} is built when the passes have ended: until then two rows may overlap`,
  ),
  'unproved check': handled(({ detail }) => `${detail} is NOT VALID and is added as such after the rows`),
  view: handled('is created after the rows'),
  'materialized view': handled('is created after the rows and filled then'),
  'row security': handled('its policies are created for those of their roles that the server has'),
  extension: handled('is installed where it is missing; its own tables are not restored'),
  'whole-row identity': handled('its changes carry whole old rows; the primary key is taken from them'),
  tablespace: handled(({ detail }) => `is restored into the default tablespace, not into ${detail}`),
  'invalid index': handled(({ detail }) => `index ${detail} is invalid here and is built anew`),
} as const satisfies Readonly<Record<string, Handled | Refused>>;

export type FindingKind = keyof typeof verdicts;

/** What becomes of a finding, in words for its owner. */
export function judge(finding: Finding): Peculiarity {
  const verdict: Handled | Refused = verdicts[finding.kind];
  return {
    object: finding.object,
    kind: finding.kind,
    verdict: verdict.verdict,
    reason: verdict.reason(finding),
    whatToDo: verdict.verdict === 'refused' ? verdict.whatToDo(finding) : null,
  };
}

const refusalsNamed = 10;

/** One sentence for what is refused, the first of it by name; null when nothing is. */
export function refusal(peculiarities: readonly Peculiarity[]): string | null {
  const reasons = peculiarities.filter(({ verdict }) => verdict === 'refused');
  return reasons.length === 0
    ? null
    : [
        ...reasons
          .slice(0, refusalsNamed)
          .map(({ reason, whatToDo }) => `${reason} (${whatToDo ?? 'no way around it'})`),
        ...(reasons.length > refusalsNamed ? [`and ${reasons.length - refusalsNamed} more`] : []),
      ].join('; ');
}
