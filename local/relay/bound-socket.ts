import { Socket, type TcpSocketConnectOpts } from 'node:net';

/** A socket that connects from an address of its member, by which the relay knows whose connection it is. */
export class BoundSocket extends Socket {
  constructor(private readonly from: string) {
    super();
  }

  override connect(...order: unknown[]): this {
    const [port, host] = order;
    return typeof port === 'number' && typeof host === 'string'
      ? super.connect({ port, host, localAddress: this.from })
      : super.connect(port as TcpSocketConnectOpts);
  }
}
