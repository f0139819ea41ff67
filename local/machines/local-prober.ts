import { connect } from 'node:net';
import type { ProbeAnswer, Prober } from '../../core/ports/surroundings';
import type { Clock } from '../../core/ports/clock';
import { RejoinError } from '../../core/errors';
import { siteMember, type MachineRoom } from './machine-room';

/** What a connection that got nowhere says where a firewall or a router answers instead of the host. */
const noAnswer = ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'];

/** Opens TCP connections from an address of the site, so that a partition of the site holds for its probes as well. */
export class LocalProber implements Prober {
  constructor(
    private readonly room: Pick<MachineRoom, 'siteAddress' | 'relay'>,
    private readonly clock: Clock,
  ) {}

  async probe(target: Parameters<Prober['probe']>[0]): Promise<ProbeAnswer> {
    const { relay } = this.room;
    const localAddress = await this.room.siteAddress(target.fromSite);
    const [site, member] = [siteMember(target.fromSite), relay.memberAt(target.host)];
    const states = [relay.flow(site, member).state, relay.flow(member, site).state];
    // The relay takes a connection before it looks at its flow; a real packet would not even arrive.
    if (states.includes('partitioned')) {
      await this.clock.sleep(target.timeoutMs);
      return 'timed out';
    }
    return states.includes('cut') ? 'refused' : tryConnect(target, localAddress);
  }
}

async function tryConnect(target: Parameters<Prober['probe']>[0], localAddress: string): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.host, port: target.port, localAddress });
    const finish = (answer: ProbeAnswer): void => {
      clearTimeout(limit);
      socket.destroy();
      resolve(answer);
    };
    const limit = setTimeout(finish, target.timeoutMs, 'timed out');
    socket.once('connect', () => {
      finish('open');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? '';
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') {
        finish('refused');
      } else if (noAnswer.includes(code)) {
        finish('timed out');
      } else {
        clearTimeout(limit);
        reject(
          new RejoinError('InvalidInput', `${target.host}:${target.port} can't be probed: ${error.message}`, {
            cause: error,
          }),
        );
      }
    });
  });
}
