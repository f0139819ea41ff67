import { X509Certificate } from 'node:crypto';
import { Client } from 'pg';
import { shortSession, withSession, type ConnectionSource } from '../../../engines/postgresql/connection';
import { CertificateAuthority } from '../../../local/postgresql/certificate-authority';
import { expectError } from '../../contract/expect-error';
import { startTestServer, type TestServer } from '../../support/postgres';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ tls: true });
});

afterAll(async () => {
  await server.stop();
});

const encryption = (source: ConnectionSource): Promise<unknown> =>
  withSession(source, server.address, shortSession, async (client) => {
    const result = await client.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    return result.rows[0]?.ssl;
  });

test('issues certificates that verify, for exactly the addresses and names given', async () => {
  const authority = await CertificateAuthority.make();
  const { certificate } = await authority.issue(['127.5.0.1'], ['node-1.rejoin.test']);
  const [root, leaf] = [new X509Certificate(authority.certificate), new X509Certificate(certificate)];
  expect(leaf.verify(root.publicKey)).toBe(true);
  expect(leaf.checkIssued(root)).toBe(true);
  expect([root.ca, leaf.ca]).toEqual([true, false]);
  expect([leaf.checkIP('127.5.0.1'), leaf.checkIP('127.5.0.2')]).toEqual(['127.5.0.1', undefined]);
  expect([leaf.checkHost('node-1.rejoin.test'), leaf.checkHost('node-2.rejoin.test')]).toEqual([
    'node-1.rejoin.test',
    undefined,
  ]);
});

test('a session that verifies the server’s certificate and address is encrypted', async () => {
  await expect(encryption(server.source)).resolves.toBe(true);
});

test('a server whose certificate comes from somebody else is refused', async () => {
  const stranger = await CertificateAuthority.make();
  const source = { ...server.source, certificateAuthority: async () => stranger.certificate };
  await expectError(encryption(source), 'SqlUnavailable', 'certificate');
});

test('a session that is not encrypted is refused', async () => {
  const { host, port, database } = server.address;
  const { username: user, password } = server.credentials;
  const client = new Client({ host, port, database, user, password, ssl: false });
  await expect(client.connect()).rejects.toThrow('no encryption');
});
