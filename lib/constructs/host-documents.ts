import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { hostDocumentName, type HostCommand } from '../../adapters/aws/host-commands.permissions';

/** A parameter as Systems Manager checks it, before anything reaches a machine. */
interface DocumentParameter {
  readonly type: 'String';
  readonly description: string;
  readonly allowedPattern: string;
  readonly default?: string;
}

interface HostDocument {
  readonly description: string;
  readonly parameters: Readonly<Record<string, DocumentParameter>>;
  /** Run by root with `sh`. Parameters are text put in: each pattern allows nothing that ends a quoted word. */
  readonly script: readonly string[];
  readonly timeoutSeconds: number;
}

const service: DocumentParameter = {
  type: 'String',
  description: 'The systemd unit of the database server',
  allowedPattern: '^[A-Za-z0-9][A-Za-z0-9@._-]{0,63}$',
  default: 'postgresql',
};

const documents: Readonly<Record<HostCommand, HostDocument>> = {
  'stop-database': {
    description: 'Stops the database server of this machine, and proves that it is stopped',
    parameters: { service },
    script: [
      'set -eu',
      "systemctl stop '{{ service }}'",
      "if systemctl is-active --quiet '{{ service }}'; then",
      "  echo '{{ service }} still runs' >&2",
      '  exit 1',
      'fi',
      "echo 'the database is stopped'",
    ],
    timeoutSeconds: 300,
  },
  'start-database': {
    description: 'Starts the database server of this machine',
    parameters: { service },
    script: [
      'set -eu',
      "systemctl start '{{ service }}'",
      "systemctl is-active --quiet '{{ service }}'",
      "echo 'the database runs'",
    ],
    timeoutSeconds: 300,
  },
  'restore-volume': {
    description:
      'Takes the volume that the launch made of a snapshot as the data directory, of a standby. The database is stopped',
    parameters: {
      service,
      snapshotId: {
        type: 'String',
        description: 'The snapshot that the volume was made of',
        allowedPattern: '^snap-[0-9a-f]{8,17}$',
      },
      device: {
        type: 'String',
        description: 'The device of that volume',
        allowedPattern: '^/dev/[a-z0-9]{1,32}$',
        default: '/dev/sdf',
      },
      dataDirectory: {
        type: 'String',
        description: 'Where the volume is mounted: the data directory of the database server',
        allowedPattern: '^(/[A-Za-z0-9_][A-Za-z0-9._-]{0,63}){1,16}$',
        default: '/var/lib/pgsql/data',
      },
    },
    script: [
      'set -eu',
      "if systemctl is-active --quiet '{{ service }}'; then",
      "  echo '{{ service }} runs; stop it first' >&2",
      '  exit 1',
      'fi',
      "if ! test -b '{{ device }}'; then",
      "  echo 'there is no device {{ device }}: the machine was not launched with {{ snapshotId }}' >&2",
      '  exit 1',
      'fi',
      "volume=$(readlink -f '{{ device }}')",
      "mounted=$(findmnt --noheadings --output SOURCE --mountpoint '{{ dataDirectory }}' || true)",
      'if test "$mounted" != "$volume"; then',
      '  if test -n "$mounted"; then',
      "    umount '{{ dataDirectory }}'",
      '  fi',
      "  mkdir -p '{{ dataDirectory }}'",
      '  mount "$volume" \'{{ dataDirectory }}\'',
      'fi',
      "if ! test -f '{{ dataDirectory }}/PG_VERSION'; then",
      "  echo 'the volume of {{ snapshotId }} is no data directory: the server must keep its data at the top of it' >&2",
      '  exit 1',
      'fi',
      '# A server that came up as a primary would be a second writer.',
      "touch '{{ dataDirectory }}/standby.signal'",
      "chmod 600 '{{ dataDirectory }}/standby.signal'",
      '# The server of the snapshot ran when it was taken, and may have been a standby, or the primary of others.',
      "rm -f '{{ dataDirectory }}/postmaster.pid'",
      "find '{{ dataDirectory }}/pg_replslot' -mindepth 1 -delete",
      "sed -i '/^primary_conninfo/d; /^primary_slot_name/d' '{{ dataDirectory }}/postgresql.auto.conf'",
      'for file in standby.signal postgresql.auto.conf; do',
      "  chown --reference='{{ dataDirectory }}' '{{ dataDirectory }}'\"/$file\"",
      'done',
      "echo 'the volume is as in {{ snapshotId }}, of a standby'",
    ],
    timeoutSeconds: 600,
  },
};

/** What may be run on the machines of nodes: these commands and no other. Each call takes one machine of a cluster. */
export class HostDocuments extends Construct {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    for (const [command, document] of Object.entries(documents) as [HostCommand, HostDocument][]) {
      new CfnDocument(this, command, {
        name: hostDocumentName(command),
        documentType: 'Command',
        documentFormat: 'JSON',
        targetType: '/AWS::EC2::Instance',
        updateMethod: 'NewVersion',
        content: {
          schemaVersion: '2.2',
          description: document.description,
          parameters: document.parameters,
          mainSteps: [
            {
              action: 'aws:runShellScript',
              name: 'run',
              precondition: { StringEquals: ['platformType', 'Linux'] },
              inputs: { runCommand: document.script, timeoutSeconds: String(document.timeoutSeconds) },
            },
          ],
        },
      });
    }
  }
}
