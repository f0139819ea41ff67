import { RelayServer } from './relay-server';

export type RelayMethod = 'expose' | 'conceal' | 'nameSource' | 'setProcesses' | 'setFlow' | 'close';

export interface RelayCall {
  readonly id: number;
  readonly method: RelayMethod;
  readonly parameters: readonly unknown[];
}

export interface RelayReply {
  readonly id: number;
  /** Null when it was done. */
  readonly error: { readonly name: string; readonly message: string } | null;
}

/** Does what its parent asks, and ends when the parent does. */
function serve(): void {
  const server = new RelayServer() as unknown as Readonly<
    Record<RelayMethod, (...parameters: readonly unknown[]) => Promise<void>>
  >;
  const reply = (answer: RelayReply): void => {
    process.send?.(answer);
  };
  process.on('message', (call: RelayCall) => {
    void server[call.method](...call.parameters).then(
      () => {
        reply({ id: call.id, error: null });
      },
      (thrown: unknown) => {
        const { name, message } = thrown as Error;
        reply({ id: call.id, error: { name, message } });
      },
    );
  });
  process.on('disconnect', () => {
    process.exit(0);
  });
}

serve();
