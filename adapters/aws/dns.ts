import {
  type Change,
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  ListResourceRecordSetsCommand,
  type Route53Client,
} from '@aws-sdk/client-route-53';
import { RejoinError } from '../../core/errors';
import type { Dns, DnsChange, DnsRecord } from '../../core/ports/surroundings';
import { apiError, ask, codeOf } from './api-error';
import { fromTextValue, toTextValue } from './dns-text';

const actions = { upsert: 'UPSERT', create: 'CREATE', delete: 'DELETE' } as const;

/** What Route 53 says of a batch that does not fit what is there; anything else in it is wrong whatever is there. */
const conflict = /already exists|not found|do not match|conflicts with/i;

/** One hosted zone of Route 53. */
export class Route53Dns implements Dns {
  constructor(
    private readonly client: Route53Client,
    private readonly zoneId: string,
  ) {}

  async change(changes: readonly DnsChange[]): Promise<{ readonly changeId: string }> {
    const asked = changes.map(({ action, record }) => `${action} ${record.type} record '${record.name}'`).join(', ');
    try {
      const { ChangeInfo } = await this.client.send(
        new ChangeResourceRecordSetsCommand({
          HostedZoneId: this.zoneId,
          ChangeBatch: { Changes: changes.map(changeOf) },
        }),
      );
      return { changeId: (ChangeInfo?.Id ?? '').replace('/change/', '') };
    } catch (thrown) {
      throw codeOf(thrown) === 'InvalidChangeBatch' ? batchError(asked, thrown) : apiError(asked, thrown);
    }
  }

  async changeState(changeId: string): Promise<'pending' | 'in sync'> {
    const { ChangeInfo } = await ask(
      `follow DNS change '${changeId}'`,
      this.client.send(new GetChangeCommand({ Id: changeId })),
      { NoSuchChange: 'NotFound' },
    );
    return ChangeInfo?.Status === 'INSYNC' ? 'in sync' : 'pending';
  }

  async read(name: string, type: DnsRecord['type']): Promise<DnsRecord | null> {
    const { ResourceRecordSets } = await ask(
      `read ${type} record '${name}'`,
      this.client.send(
        new ListResourceRecordSetsCommand({
          HostedZoneId: this.zoneId,
          StartRecordName: name,
          StartRecordType: type,
          MaxItems: 1,
        }),
      ),
    );
    // The list begins at that place in the order of names, whether or not something is there.
    const found = ResourceRecordSets?.[0];
    if (found?.Name === undefined || found.Type !== type || plainName(found.Name) !== plainName(name)) {
      return null;
    }
    const { TTL, ResourceRecords } = found;
    if (TTL === undefined || ResourceRecords === undefined) {
      throw new RejoinError(
        'ApiRefused',
        `${type} record '${name}' is an alias, which has no values of its own; make it a plain record`,
      );
    }
    const values = ResourceRecords.flatMap(({ Value }) => Value ?? []);
    return {
      name: plainName(found.Name),
      type,
      ttlSeconds: TTL,
      values: type === 'TXT' ? values.map(fromTextValue) : values,
    };
  }
}

function changeOf({ action, record }: DnsChange): Change {
  return {
    Action: actions[action],
    ResourceRecordSet: {
      Name: record.name,
      Type: record.type,
      TTL: record.ttlSeconds,
      ResourceRecords: record.values.map((value) => ({ Value: record.type === 'TXT' ? toTextValue(value) : value })),
    },
  };
}

function batchError(asked: string, thrown: unknown): RejoinError {
  const { messages } = thrown as { readonly messages?: readonly string[] };
  const said = [...(messages ?? []), (thrown as Error).message].filter((text) => text !== '').join('; ');
  return new RejoinError(conflict.test(said) ? 'ConditionFailed' : 'ApiRefused', `can't ${asked}: ${said}`, {
    cause: thrown,
  });
}

/** Lower case, without the last dot, and with `*` and others as themselves: Route 53 writes them `\052`. */
function plainName(name: string): string {
  return name
    .replace(/\.$/, '')
    .replaceAll(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
    .toLowerCase();
}
