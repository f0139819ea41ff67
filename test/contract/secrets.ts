import type { Secrets } from '../../core/ports/surroundings';
import { expectError } from './expect-error';

export interface SecretsSubject {
  readonly secrets: Secrets;
  /** Makes this text the secret. */
  put(secretName: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** What every `Secrets` does, wherever they are kept. */
export function describeSecretsContract(name: string, makeSubject: () => Promise<SecretsSubject>): void {
  describe(`Secrets: ${name}`, () => {
    let subject: SecretsSubject;

    beforeEach(async () => {
      subject = await makeSubject();
    });
    afterEach(async () => {
      await subject.close();
    });

    test('gives user name and password, whatever else is in the secret', async () => {
      const secret = { engine: 'postgres', username: 'admin', password: 'p"\\ß😀 ', port: 5432 };
      await subject.put('orders/admin', JSON.stringify(secret));
      expect(await subject.secrets.credentials('orders/admin')).toEqual({
        username: 'admin',
        password: secret.password,
      });
    });

    test('says NotFound, with its name, for a secret that is not there', async () => {
      await expectError(subject.secrets.credentials('orders/none'), 'NotFound', "'orders/none'");
    });

    test.each([
      ['without a password', JSON.stringify({ username: 'admin' }), 'password'],
      ['with an empty user name', JSON.stringify({ username: '', password: 'hush' }), 'username'],
      ['that is no object', JSON.stringify('hush'), 'password'],
      ['that is no JSON', 'hush', 'password'],
    ])('refuses a secret %s, and tells nothing of what is in it', async (_what, text, field) => {
      await subject.put('orders/admin', text);
      const message = await expectError(
        subject.secrets.credentials('orders/admin'),
        'InvalidSettings',
        "'orders/admin'",
        field,
      );
      expect(message).not.toContain('hush');
    });
  });
}
