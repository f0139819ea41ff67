import type { Prober } from '../../core/ports/surroundings';

export interface ProberSubject {
  readonly prober: Prober;
  readonly site: string;
  /** Something listens here. */
  readonly open: { readonly host: string; readonly port: number };
  /** The host answers that nothing listens. */
  readonly refused: { readonly host: string; readonly port: number };
  /** Nobody answers; null where the stand-in can't have such a place. */
  readonly silent: { readonly host: string; readonly port: number } | null;
  close(): Promise<void>;
}

/** What every `Prober` answers. */
export function describeProberContract(name: string, makeSubject: () => Promise<ProberSubject>): void {
  describe(`Prober: ${name}`, () => {
    let subject: ProberSubject;

    beforeEach(async () => {
      subject = await makeSubject();
    });
    afterEach(async () => {
      await subject.close();
    });

    test('finds an open port, as often as it is asked', async () => {
      const target = { ...subject.open, fromSite: subject.site, timeoutMs: 2_000 };
      expect(await subject.prober.probe(target)).toBe('open');
      expect(await subject.prober.probe(target)).toBe('open');
    });

    test('tells a closed port from a silent host', async () => {
      expect(await subject.prober.probe({ ...subject.refused, fromSite: subject.site, timeoutMs: 2_000 })).toBe(
        'refused',
      );
      if (subject.silent !== null) {
        const begin = performance.now();
        const answer = await subject.prober.probe({ ...subject.silent, fromSite: subject.site, timeoutMs: 300 });
        // eslint-disable-next-line jest/no-conditional-expect -- a stand-in without a silent place can't be asked for one
        expect({ answer, inTime: performance.now() - begin < 2_000 }).toEqual({ answer: 'timed out', inTime: true });
      }
    });
  });
}
