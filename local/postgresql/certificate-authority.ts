import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { md, pki } from 'node-forge';
import type { ServerCertificate } from './configuration';

const generate = promisify(generateKeyPair);

const keyBits = 2_048;
const dayMs = 86_400_000;
/** A run is over long before. */
const validDays = 30;
const organization = 'Rejoin rehearsal';

interface KeyPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** Issues the certificates of one run's servers. Its key is in memory only, so that nobody can issue more after the run. */
export class CertificateAuthority {
  private constructor(
    /** PEM: what clients verify servers against. */
    readonly certificate: string,
    private readonly key: string,
  ) {}

  static async make(): Promise<CertificateAuthority> {
    const pair = await newKeys();
    const certificate = blank(pair, 'authority');
    certificate.setIssuer(subjectOf('authority'));
    certificate.setExtensions([
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      { name: 'subjectKeyIdentifier' },
    ]);
    return new CertificateAuthority(signed(certificate, pair.privateKey), pair.privateKey);
  }

  /** A certificate for a server that is reached at these IP addresses and host names. */
  async issue(addresses: readonly string[], hostNames: readonly string[] = []): Promise<ServerCertificate> {
    const pair = await newKeys();
    const certificate = blank(pair, addresses[0] ?? hostNames[0] ?? 'server');
    certificate.setIssuer(subjectOf('authority'));
    certificate.setExtensions([
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        // RFC 5280: 2 is a host name, 7 an IP address.
        altNames: [...hostNames.map((value) => ({ type: 2, value })), ...addresses.map((ip) => ({ type: 7, ip }))],
      },
    ]);
    return { certificate: signed(certificate, this.key), privateKey: pair.privateKey };
  }
}

async function newKeys(): Promise<KeyPair> {
  return generate('rsa', {
    modulusLength: keyBits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
}

function blank(pair: KeyPair, commonName: string): pki.Certificate {
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.publicKeyFromPem(pair.publicKey);
  // Serial numbers are positive: the first bit stays 0.
  certificate.serialNumber = `00${randomBytes(16).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - dayMs);
  certificate.validity.notAfter = new Date(Date.now() + validDays * dayMs);
  certificate.setSubject(subjectOf(commonName));
  return certificate;
}

function subjectOf(commonName: string): pki.CertificateField[] {
  return [
    { name: 'organizationName', value: organization },
    { name: 'commonName', value: commonName },
  ];
}

function signed(certificate: pki.Certificate, key: string): string {
  certificate.sign(pki.privateKeyFromPem(key), md.sha256.create());
  return pki.certificateToPem(certificate);
}
