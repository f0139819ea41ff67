import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  TRUNCATED_RESPONSE,
  type Answer,
  type DecodedPacket,
  type OptAnswer,
  type Packet,
  type Question,
} from 'dns-packet';
import type { DnsRecord } from '../../core/ports/surroundings';
import { isInZone, normalName, recordAt, type Zone } from './zone';

/** RFC 1035, 4.1.1. */
const responseCodes = { NOERROR: 0, FORMERR: 1, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
type ResponseCode = keyof typeof responseCodes;

const headerBytes = 12;
const operationShift = 11;
const standardQuery = 0;
const responseBit = 0x8000;
const recursionDesiredBit = 0x0100;
/** Without EDNS (RFC 1035), and what we take at most with it: it crosses every network whole (DNS flag day 2020). */
const plainUdpBytes = 512;
const ednsUdpBytes = 1_232;
const longestCnameChain = 8;
const longestTextBytes = 255;
/** How long others remember that there is nothing, and the zone's other times (Route 53's defaults, but for the first). */
const soaTimes = { minimum: 5, refresh: 7_200, retry: 900, expire: 1_209_600 };

/**
 * The answer to one message, as an authoritative server of the zone gives it; null where silence is the answer: to what is
 * no message and to what is an answer itself.
 */
export function answerMessage(zone: Zone, message: Buffer, transport: 'udp' | 'tcp'): Buffer | null {
  if (message.length < headerBytes || (message.readUInt16BE(2) & responseBit) !== 0) {
    return null;
  }
  let query: DecodedPacket;
  try {
    query = decode(message);
  } catch {
    return respond(message, { code: 'FORMERR' });
  }
  const edns = query.additionals?.find((additional) => additional.type === 'OPT') ?? null;
  const reply = decide(zone, query);
  const whole = respond(message, { ...reply, query, edns });
  const limitBytes =
    edns === null ? plainUdpBytes : Math.max(plainUdpBytes, Math.min(edns.udpPayloadSize, ednsUdpBytes));
  return transport === 'udp' && whole.length > limitBytes
    ? respond(message, { code: reply.code, query, edns, truncated: true })
    : whole;
}

interface Reply {
  readonly code: ResponseCode;
  readonly authoritative?: boolean;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
}

function decide(zone: Zone, query: DecodedPacket): Reply {
  if ((query.flags ?? 0) >> operationShift !== standardQuery) {
    return { code: 'NOTIMP' };
  }
  const [question, ...more] = query.questions ?? [];
  if (question === undefined || more.length > 0) {
    return { code: 'FORMERR' };
  }
  if ((question.class !== undefined && question.class !== 'IN') || !isInZone(zone, question.name)) {
    return { code: 'REFUSED' };
  }
  const answers = lookUp(zone, question);
  if (answers.length > 0) {
    return { code: 'NOERROR', authoritative: true, answers };
  }
  return {
    code: nameExists(zone, question.name) ? 'NOERROR' : 'NXDOMAIN',
    authoritative: true,
    authorities: [soa(zone)],
  };
}

/** The records asked for; those of the name that a CNAME leads to come with it, as far as they are in this zone. */
function lookUp(zone: Zone, question: Question): readonly Answer[] {
  const { type } = question;
  const every = (type as string) === 'ANY';
  const found: Answer[] = [];
  let name = question.name;
  for (let link = 0; link < longestCnameChain; link += 1) {
    if (normalName(name) === zone.origin) {
      found.push(...apex(zone, name).filter((answer) => every || answer.type === type));
    }
    const here = (['A', 'TXT', 'CNAME'] as const).flatMap((kind) => recordAt(zone, name, kind) ?? []);
    found.push(...here.filter((record) => every || record.type === type).flatMap((record) => answersOf(record, name)));
    const alias = here.find((record) => record.type === 'CNAME');
    const [target] = alias?.values ?? [];
    if (alias === undefined || target === undefined || type === 'CNAME' || every) {
      break;
    }
    found.push(...answersOf(alias, name));
    name = target;
    if (!isInZone(zone, name)) {
      break;
    }
  }
  return found;
}

function answersOf(record: DnsRecord, name: string): readonly Answer[] {
  return record.values.map((value): Answer => {
    const about = { name, ttl: record.ttlSeconds, class: 'IN' as const };
    return record.type === 'TXT'
      ? { ...about, type: 'TXT', data: textParts(value) }
      : { ...about, type: record.type, data: value };
  });
}

/** A text record is a list of texts of at most 255 bytes. */
function textParts(value: string): Buffer[] {
  const bytes = Buffer.from(value);
  const parts = Math.max(1, Math.ceil(bytes.length / longestTextBytes));
  return Array.from({ length: parts }, (_, part) =>
    bytes.subarray(part * longestTextBytes, (part + 1) * longestTextBytes),
  );
}

/** A name that has no records but names below it exists too. */
function nameExists(zone: Zone, name: string): boolean {
  const wanted = normalName(name);
  return (
    wanted === zone.origin ||
    [...zone.records.values()].some((record) => record.name === wanted || record.name.endsWith(`.${wanted}`))
  );
}

function apex(zone: Zone, name: string): readonly Answer[] {
  return [soa(zone), { name, type: 'NS', class: 'IN', ttl: soaTimes.minimum, data: `ns.${zone.origin}` }];
}

function soa(zone: Zone): Answer {
  const data = { mname: `ns.${zone.origin}`, rname: `hostmaster.${zone.origin}`, serial: zone.serial, ...soaTimes };
  return { name: zone.origin, type: 'SOA', class: 'IN', ttl: soaTimes.minimum, data };
}

interface Response extends Reply {
  /** Absent where the message could not be read: then not even its question is known. */
  readonly query?: DecodedPacket;
  readonly edns?: OptAnswer | null;
  readonly truncated?: boolean;
}

function respond(message: Buffer, response: Response): Buffer {
  const { query, edns = null } = response;
  const flags =
    (message.readUInt16BE(2) & recursionDesiredBit) |
    (response.authoritative === true ? AUTHORITATIVE_ANSWER : 0) |
    (response.truncated === true ? TRUNCATED_RESPONSE : 0) |
    responseCodes[response.code];
  const packet: Packet = {
    type: 'response',
    id: message.readUInt16BE(0),
    flags,
    questions: query?.questions ?? [],
    answers: [...(response.answers ?? [])],
    authorities: [...(response.authorities ?? [])],
    additionals:
      edns === null
        ? []
        : [
            {
              name: '.',
              type: 'OPT',
              udpPayloadSize: ednsUdpBytes,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
  };
  return encode(packet);
}
