import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../../../../infra/cluster/certificate.ts';
import type { RedisTls } from '../../src/redis-address.ts';
import { freePort, type RedisSettings } from './redis-local.ts';

/** A certificate that signed itself, for the servers and, as they ask for one, for who comes to them. */
export interface TestTls {
  /** What a node must know. */
  readonly certificates: RedisTls;
  /** What a server needs besides its port in the clear, which stays for the tests themselves; with a port of its own. */
  settings(): Promise<RedisSettings & { readonly 'tls-port': number }>;
  /** Removes the files. */
  remove(): Promise<void>;
}

/** Makes the certificate with the machine's openssl. */
export async function makeTls(): Promise<TestTls> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-tls-'));
  const { certificate, key } = await selfSigned(folder);
  const [cert, secret] = [readFileSync(certificate, 'utf8'), readFileSync(key, 'utf8')];
  return {
    certificates: { ca: cert, cert, key: secret },
    settings: async () => ({
      'tls-port': await freePort(),
      'tls-cert-file': certificate,
      'tls-key-file': key,
      'tls-ca-cert-file': certificate,
      'tls-auth-clients': 'yes',
      'tls-replication': 'yes',
    }),
    remove: () => rm(folder, { recursive: true }),
  };
}
