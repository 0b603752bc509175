import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ClusterError } from './part.ts';

/** The paths of two PEM files. */
export interface Certificate {
  /** The certificate, then those between it and its root. */
  readonly certificate: string;
  readonly key: string;
}

/**
 * Makes a certificate for this machine (`localhost`, 127.0.0.1) that nobody has signed, and its key, in a folder,
 * which it makes. Good for 30 days. Throws ClusterError when there is no openssl.
 */
export async function selfSigned(folder: string): Promise<Certificate> {
  await mkdir(folder, { recursive: true });
  const made = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const files = ['-out', made.certificate, '-keyout', made.key];
  try {
    await promisify(execFile)('openssl', ['req', '-x509', '-days', '30', ...curve, ...names, ...files]);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new ClusterError(`openssl could not make a certificate (${stderr?.trim().split('\n').at(-1) || message})`);
  }
  return made;
}
