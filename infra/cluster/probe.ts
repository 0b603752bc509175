import { get } from 'node:http';
import { get as getByTls } from 'node:https';

const SECONDS = 2;

/**
 * Asks an address of this machine once. `status` is 0 when there was no answer; `words` says what came, for people. Never
 * throws. Whose certificate it is does not matter: nobody is told a secret.
 */
export function httpStatus(url: string): Promise<{ status: number; words: string }> {
  return new Promise((resolve) => {
    const options = { agent: false, rejectUnauthorized: false, signal: AbortSignal.timeout(SECONDS * 1000) };
    const failed = (error: NodeJS.ErrnoException) => resolve({ status: 0, words: error.code ?? error.message });
    const request = (url.startsWith('https:') ? getByTls : get)(url, options, (response) => {
      let body = '';
      const { statusCode: status = 0 } = response;
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('error', failed);
      response.on('end', () => {
        const words = body.slice(0, 200).replaceAll(/\s+/g, ' ');
        resolve({ status, words: `${status} ${words}`.trim() });
      });
    });
    request.on('error', failed);
  });
}
